import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import { decodeBody, mediaType, readBody } from "../http/body.ts";
import { applyPatchType, patchTypes } from "./patch.ts";
import type { Target } from "./request-info.ts";
import { writeOptions } from "./write-options.ts";

/** One request for a resource, with what its handlers need. */
export interface Call {
  cluster: Cluster;
  target: Target;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
}

/** The body as its media type says; undefined when there is none. */
export async function bodyOf(call: Call): Promise<unknown> {
  return decode(call, mediaType(call.request));
}

export async function patchOf(call: Call): Promise<{ type: string; body: unknown }> {
  const type = mediaType(call.request);
  if (!patchTypes.has(type)) throw new ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  return { type, body: await decode(call, type) };
}

export function writeOptionsOf({ query, request }: Call): WriteOptions {
  const isApply = mediaType(request) === applyPatchType;
  return writeOptions(request.method ?? "", query, request.headers["user-agent"] ?? "unknown", isApply);
}

async function decode({ cluster, request }: Call, type: string): Promise<unknown> {
  const body = await readBody(request);
  return decodeBody(body, type, (apiVersion, kind) => cluster.registry.findByKind(apiVersion, kind)?.schema);
}
