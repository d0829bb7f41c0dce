import type { ServerResponse } from "node:http";
import { ApiError } from "../api-error.ts";

/** Sends a JSON answer, with `Warning` headers where there are any. */
export function sendJson(
  response: ServerResponse,
  code: number,
  body: unknown,
  warnings: readonly string[] = [],
): void {
  const text = `${JSON.stringify(body)}\n`;
  if (warnings.length > 0) response.setHeader("warning", [...warnings]);
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "application/json");
  response.writeHead(code, { "content-length": Buffer.byteLength(text) });
  response.end(text);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Answers with the Status of an error. A stream that already began can only be cut. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known =
    error instanceof ApiError ? error : new ApiError(500, "InternalError", `Internal error occurred: ${String(error)}`);
  if (known.code === 413) response.setHeader("connection", "close");
  const retryAfter = known.details?.["retryAfterSeconds"];
  if (typeof retryAfter === "number") response.setHeader("retry-after", retryAfter);
  sendJson(response, known.code, known.toStatus());
}
