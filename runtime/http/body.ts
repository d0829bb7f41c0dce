import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

import { jsonErrorPosition } from "../protocol/json-error.ts";
import { ClientGoneError, RequestError } from "./request-error.ts";

/** Bytes of a refused body that are still read, as a multiple of the limit: a client that is cut off rarely sees the 413. */
const DISCARDED = 4;

/** The JSON document of a request. Rejects with a RequestError (400, 413, 415), or a ClientGoneError. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  requireJson(request);
  const body = await readBody(request, maxBytes);
  if (!isUtf8(body)) throw new RequestError(400, "the body is not valid UTF-8");
  const text = body.toString("utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = jsonErrorPosition(text);
    const msg = `JSON decode error at position ${position}: ${(error as Error).message}`;
    throw new RequestError(400, msg, { problems: [{ loc: ["body", position], msg, type: "json_invalid" }] });
  }
}

function requireJson({ headers }: IncomingMessage): void {
  const type = headers["content-type"];
  if (type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new RequestError(
      415,
      `the content type is ${type.slice(0, 100)}: send JSON with "content-type: application/json"`,
    );
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new RequestError(415, `the content encoding is ${encoding.slice(0, 100)}: send the JSON as it is`);
  }
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = (): void => {
      const message = `the body has more than ${maxBytes} bytes: send fewer rows in one request, or raise MAX_BODY_BYTES`;
      reject(new RequestError(413, message, { headers: { connection: "close" } }));
    };
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (size > maxBytes * DISCARDED) refuse();
    });
    request.on("end", () => {
      if (size > maxBytes) refuse();
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.on("error", (cause) => reject(new ClientGoneError("the request was not sent to its end", { cause })));
    request.on("close", () => reject(new ClientGoneError("the request was not sent to its end")));
  });
}
