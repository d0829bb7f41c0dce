import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { errors } from "undici";
import type { UpstreamEndpoint } from "./endpoint.ts";
import { readStart, type RequestBody } from "./request-body.ts";
import type { RouterState } from "./router-state.ts";
import type { Decision } from "./routing.ts";
import { pickEndpoint } from "./upstreams.ts";

type Forward = Extract<Decision, { kind: "forward" }>;

/** Answers one request of the traffic port. Never rejects: what goes wrong becomes the answer, or ends the connection. */
export async function proxyRequest(
  state: RouterState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const decision = state.decide(state.routes(), {
    host: (request.headers.host ?? "").toLowerCase(),
    path: request.url ?? "/",
    headers: request.headersDistinct,
  });
  if (decision.kind === "respond") {
    response.writeHead(decision.status, { ...decision.headers, "content-length": Buffer.byteLength(decision.body) });
    response.end(decision.body);
    request.resume();
    return;
  }
  const cancelled = new AbortController();
  response.once("close", () => cancelled.abort());
  try {
    await forward(state, decision, request, response, cancelled.signal);
  } catch (error) {
    if (response.headersSent || cancelled.signal.aborted) response.destroy();
    else answerFailure(response, error, decision.headers);
  }
}

async function forward(
  { upstreams, random }: RouterState,
  decision: Forward,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const body = await readStart(request);
  const tried = new Set<UpstreamEndpoint>();
  for (let attempt = 1; ; attempt++) {
    const upstream = upstreams.get(decision.cluster);
    const endpoint = upstream && pickEndpoint(upstream, tried, random);
    if (endpoint === undefined) throw new NoHealthyUpstream(`no healthy upstream for ${decision.cluster}`);
    tried.add(endpoint);
    try {
      await exchange(endpoint, decision, { request, body, response, signal });
      return;
    } catch (error) {
      if (!isConnectFailure(error)) throw error;
      endpoint.reportUnreachable();
      if (!body.repeatable || attempt > decision.retries) throw error;
    }
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly body: RequestBody;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

async function exchange(
  endpoint: UpstreamEndpoint,
  decision: Forward,
  { request, body, response, signal }: Exchange,
): Promise<void> {
  endpoint.active++;
  try {
    const answer = await endpoint.pool.request({
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: forwardedHeaders(request),
      body: body.content,
      headersTimeout: decision.timeoutMs,
      bodyTimeout: decision.timeoutMs,
      signal,
    });
    response.writeHead(answer.statusCode, { ...endToEnd(answer.headers), ...decision.headers });
    await pipeline(answer.body, response);
  } finally {
    endpoint.active--;
  }
}

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

type Headers = Record<string, string | string[]>;

function endToEnd(headers: NodeJS.Dict<string | string[]>): Headers {
  const named = new Set([headers["connection"] ?? []].flat().flatMap((value) => value.toLowerCase().split(/\s*,\s*/)));
  const kept: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name)) continue;
    kept[name] = Array.isArray(value) && value.length === 1 ? String(value[0]) : value;
  }
  return kept;
}

function forwardedHeaders(request: IncomingMessage): Headers {
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

class NoHealthyUpstream extends Error {}

/** Nothing was sent, so that another endpoint may be asked. */
function isConnectFailure(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  return error instanceof Error && "syscall" in error && error.syscall === "connect";
}

function answerFailure(response: ServerResponse, error: unknown, headers: Readonly<Record<string, string>>): void {
  const timedOut = error instanceof errors.HeadersTimeoutError;
  const message = error instanceof Error ? error.message : String(error);
  const body = timedOut
    ? "upstream request timeout"
    : error instanceof NoHealthyUpstream
      ? message
      : `upstream connect error or disconnect before headers: ${message}`;
  response.writeHead(timedOut ? 504 : 503, {
    ...headers,
    "content-type": "text/plain",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}
