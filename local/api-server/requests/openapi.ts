import type { IncomingMessage, ServerResponse } from "node:http";
import { addressOf, openApiDocument, openApiHash, openApiIndex } from "../discovery/openapi.ts";
import { acceptsJson } from "../http/accept.ts";
import { sendJson } from "../http/responses.ts";
import type { Registry } from "../resources/registry.ts";

/** Answers for the index (`path` is empty) or one document; kubectl keeps documents for as long as their hash is the same. */
export function serveOpenApi(
  registry: Registry,
  path: string,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader("cache-control", "no-cache, private");
  if (path === "") {
    response.setHeader("content-type", "text/plain; charset=utf-8");
    return sendJson(response, 200, openApiIndex(registry));
  }
  const document = openApiDocument(registry, path);
  if (document === undefined) return sendEmpty(response, 404);
  response.setHeader("vary", "Accept");
  if (!acceptsJson(request.headers.accept)) return sendEmpty(response, 406);
  const hash = openApiHash(document);
  const etag = `"${hash}"`;
  response.setHeader("etag", etag);
  const asked = query.get("hash");
  if (asked !== null && asked !== hash) {
    response.setHeader("content-type", "application/json");
    response.setHeader("location", addressOf(path, hash));
    return sendEmpty(response, 301);
  }
  if (request.headers["if-none-match"] === etag) return sendEmpty(response, 304);
  if (asked !== null) response.setHeader("cache-control", "public, immutable");
  sendJson(response, 200, document);
}

function sendEmpty(response: ServerResponse, code: number): void {
  response.writeHead(code);
  response.end();
}
