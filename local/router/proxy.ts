import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { errors } from "undici";
import type { UpstreamEndpoint } from "./endpoint.ts";
import { endToEnd, forwardedHeaders, type Headers } from "./forwarded-headers.ts";
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
    answer(state, response, decision.status, decision.headers, decision.body);
    request.resume();
    return;
  }
  const cancelled = new AbortController();
  response.once("close", () => cancelled.abort());
  try {
    await forward(state, decision, request, response, cancelled.signal);
  } catch (error) {
    if (response.headersSent || cancelled.signal.aborted) response.destroy();
    else answerFailure(state, response, error, decision.headers);
  }
}

async function forward(
  state: RouterState,
  decision: Forward,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const body = await readStart(request);
  const tried = new Set<UpstreamEndpoint>();
  for (let attempt = 1; ; attempt++) {
    const upstream = state.upstreams.get(decision.cluster);
    const endpoint = upstream && pickEndpoint(upstream, tried, state.random);
    if (endpoint === undefined) throw new NoHealthyUpstream(`no healthy upstream for ${decision.cluster}`);
    tried.add(endpoint);
    try {
      await exchange(state, endpoint, decision, { request, body, response, signal });
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
  state: RouterState,
  endpoint: UpstreamEndpoint,
  decision: Forward,
  { request, body, response, signal }: Exchange,
): Promise<void> {
  endpoint.active++;
  try {
    const {
      statusCode,
      headers,
      body: content,
    } = await endpoint.pool.request({
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: forwardedHeaders(request),
      body: body.content,
      headersTimeout: decision.timeoutMs,
      bodyTimeout: decision.timeoutMs,
      signal,
    });
    writeHead(state, response, statusCode, { ...endToEnd(headers), ...decision.headers });
    await pipeline(content, response);
  } finally {
    endpoint.active--;
  }
}

class NoHealthyUpstream extends Error {}

/** Nothing was sent, so that another endpoint may be asked. */
function isConnectFailure(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  return error instanceof Error && "syscall" in error && error.syscall === "connect";
}

function answerFailure(
  state: RouterState,
  response: ServerResponse,
  error: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  const timedOut = error instanceof errors.HeadersTimeoutError;
  answer(state, response, timedOut ? 504 : 503, { ...headers, "content-type": "text/plain" }, failureText(error));
}

function failureText(error: unknown): string {
  if (error instanceof errors.HeadersTimeoutError) return "upstream request timeout";
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof NoHealthyUpstream
    ? message
    : `upstream connect error or disconnect before headers: ${message}`;
}

function answer(state: RouterState, response: ServerResponse, status: number, headers: Headers, body: string): void {
  writeHead(state, response, status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
  response.end(body);
}

function writeHead({ draining }: RouterState, response: ServerResponse, status: number, headers: Headers): void {
  response.writeHead(status, { ...headers, ...(draining() && { connection: "close" }) });
}
