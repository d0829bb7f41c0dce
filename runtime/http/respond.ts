import type { ServerResponse } from "node:http";

import { BINARY_HEADER } from "../protocol/infer-body.ts";

/** Sends a whole JSON answer in one write. `json` is the text. */
export function sendJson(
  response: ServerResponse,
  status: number,
  json: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
  });
  response.end(json);
}

/** Sends a v2 answer whose tensors follow its JSON in binary form. */
export function sendBinary(
  response: ServerResponse,
  json: string,
  raw: readonly Uint8Array[],
  headers: Readonly<Record<string, string>>,
): void {
  const jsonBytes = Buffer.byteLength(json);
  response.writeHead(200, {
    ...headers,
    "content-type": "application/octet-stream",
    [BINARY_HEADER]: jsonBytes,
    "content-length": raw.reduce((total, { length }) => total + length, jsonBytes),
  });
  response.write(json);
  for (const bytes of raw) response.write(bytes);
  response.end();
}
