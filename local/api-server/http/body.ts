import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";
import { badRequest, tooLarge, unsupportedMediaType } from "../api-error.ts";
import { decodeProtobuf, type SchemaOf } from "./protobuf.ts";

/** The largest request body, as on the real server. */
const maximumBodyBytes = 3 * 1024 * 1024;

/** Reads a request's body whole; 413 when it is larger than the limit. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maximumBodyBytes) throw tooLarge(maximumBodyBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The media type without its parameters. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase() ?? "";
}

/** Decodes a body in any of the accepted forms; an empty one is undefined. */
export function decodeBody(body: Buffer, type: string, schemaOf: SchemaOf): unknown {
  if (body.length === 0) return undefined;
  switch (type) {
    case "application/vnd.kubernetes.protobuf":
      return decodeProtobuf(body, schemaOf);
    case "application/yaml":
    case "application/apply-patch+yaml":
      return decodeYaml(body.toString());
    case "application/json":
    case "application/json-patch+json":
    case "application/merge-patch+json":
    case "application/strategic-merge-patch+json":
      return decodeJson(body.toString());
    default:
      throw unsupportedMediaType(["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]);
  }
}

function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badRequest(
      `the object provided is unrecognized: couldn't get version/kind; json parse error: ${error.message}`,
    );
  }
}

/** Appliers mostly send JSON, which is parsed as such: it is far faster. */
function decodeYaml(text: string): unknown {
  if (text.trimStart().startsWith("{")) {
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // flow-style YAML also begins with a brace
    }
  }
  try {
    return parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}
