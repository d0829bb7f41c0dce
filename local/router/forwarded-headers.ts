import type { IncomingMessage } from "node:http";

/** Headers that concern one connection only, RFC 9110 section 7.6.1. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export type Headers = Record<string, string | string[]>;

/** Without what concerns the connection that the message came by. */
export function endToEnd(headers: NodeJS.Dict<string | string[]>): Headers {
  const named = new Set([headers["connection"] ?? []].flat().flatMap((value) => value.toLowerCase().split(/\s*,\s*/)));
  const kept: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name)) continue;
    kept[name] = Array.isArray(value) && value.length === 1 ? String(value[0]) : value;
  }
  return kept;
}

/** A request's headers as the pod gets them. */
export function forwardedHeaders(request: IncomingMessage): Headers {
  const headers = endToEnd(request.headersDistinct);
  delete headers["expect"]; // answered here already
  return {
    ...headers,
    "x-forwarded-for": [
      ...(request.headersDistinct["x-forwarded-for"] ?? []),
      request.socket.remoteAddress ?? "unknown",
    ].join(", "),
    "x-forwarded-proto": "http",
  };
}
