import type { KubeConfig } from "@kubernetes/client-node";
import type { Dispatcher } from "undici";
import { backoffWithJitter } from "./backoff.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import { ConnectionPools } from "./connection-pools.ts";
import { CredentialSource } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { KubeError, type Status } from "./errors.ts";
import { decodeWatch, type WatchEvent } from "./watch-stream.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Query = Record<string, string | number | boolean | undefined>;

export interface RequestOptions {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** Default application/json; patches say which kind they are. */
  contentType?: string;
  signal?: AbortSignal;
  /** For the whole call, retries included. */
  timeoutMs?: number;
  /** What is attempted, on what ("applying Deployment credit/loan"): begins the message of an error. */
  action?: string;
  /** Called right before each attempt is sent; throws when it must not be sent any more. */
  fence?: () => void;
}

interface StreamOptions {
  query?: Query;
  signal?: AbortSignal;
  action?: string;
}

/** Raw JSON requests to one API server. */
export interface KubeClient {
  /**
   * Resolves with the answer's JSON. Throws KubeError when the server refuses or does not answer, and the signal's
   * reason when it aborts. Reads are repeated on connection failures, 5xx and 429; writes only where they cannot have
   * been carried out (429, no connection).
   */
  request<T>(method: Method, path: string, options?: RequestOptions): Promise<T>;
  /** A watch. Ends when the server ends it; throws KubeError (also for an ERROR event) or the signal's reason. */
  stream(path: string, options?: StreamOptions): AsyncIterable<WatchEvent>;
}

export interface TransportMetrics {
  /** `code` is the HTTP status, or `<error>` when no answer came. */
  requestFinished(code: string, method: Method, host: string): void;
}

export interface TransportOptions {
  userAgent: string;
  /** Default 30 s. */
  requestTimeoutMs?: number;
  clock?: Clock;
  metrics?: TransportMetrics;
  random?: () => number;
}

const maxAttempts = 5;
const retryBackoff = { baseMs: 100, maxMs: 5_000 };

export class KubeTransport implements KubeClient {
  readonly #origin: string;
  readonly #host: string;
  readonly #pathPrefix: string;
  readonly #credentials: CredentialSource;
  readonly #pools: ConnectionPools;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #requestTimeoutMs: number;
  readonly #metrics: TransportMetrics | undefined;
  readonly #random: () => number;

  constructor(kubeConfig: KubeConfig, options: TransportOptions) {
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) {
      throw new Error(
        `kubeconfig: the context "${kubeConfig.getCurrentContext()}" names no cluster; set current-context to one that does`,
      );
    }
    const server = new URL(cluster.server);
    this.#origin = server.origin;
    this.#host = server.host;
    this.#pathPrefix = server.pathname.replace(/\/$/, "");
    this.#clock = options.clock ?? systemClock;
    this.#credentials = new CredentialSource(kubeConfig, this.#clock);
    this.#pools = new ConnectionPools(cluster.proxyUrl);
    this.#userAgent = options.userAgent;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
    this.#metrics = options.metrics;
    this.#random = options.random ?? Math.random;
  }

  async request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const action = options.action ?? `${method} ${path}`;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const timeoutMs = options.timeoutMs ?? this.#requestTimeoutMs;
    const end = this.#clock.monotonic() + timeoutMs;
    using deadline = this.#deadline(action, timeoutMs, options.signal);

    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#send("requests", method, path, { ...options, action, body, deadline });
        return (await this.#answer(action, response)) as T;
      } catch (error) {
        deadline.signal.throwIfAborted();
        const delay = this.#retryDelay(method, error, attempt);
        if (delay === undefined || this.#clock.monotonic() + delay >= end) throw error;
        await sleep(this.#clock, delay, deadline.signal);
        deadline.signal.throwIfAborted();
      }
    }
  }

  async *stream(path: string, options: StreamOptions = {}): AsyncGenerator<WatchEvent> {
    const action = options.action ?? `watching ${path}`;
    // Only the headers have a deadline here; how long a quiet stream may be believed is for its reader to say.
    using deadline = this.#deadline(action, this.#requestTimeoutMs, options.signal);
    try {
      const response = await this.#send("watches", "GET", path, { ...options, action, deadline });
      if (response.statusCode !== 200) await this.#answer(action, response);
      deadline.lift();
      yield* decodeWatch(action, response.body);
    } catch (error) {
      deadline.signal.throwIfAborted();
      throw error instanceof KubeError ? error : this.#noAnswer(action, error);
    }
  }

  /** The same connections, with every write passing `fence` right before each time that it is sent. */
  fenced(fence: () => void): KubeClient {
    return {
      request: (method, path, options) =>
        this.request(method, path, method === "GET" ? options : { ...options, fence }),
      stream: (path, options) => this.stream(path, options),
    };
  }

  /** Ends every connection; what is in flight fails. */
  async close(): Promise<void> {
    await this.#pools.close();
  }

  async #send(
    pool: "requests" | "watches",
    method: Method,
    path: string,
    options: Omit<RequestOptions, "body"> & { action: string; body?: string | undefined; deadline: Deadline },
  ): Promise<Dispatcher.ResponseData> {
    const credentials = await options.deadline.bound(this.#authenticate(options.action));
    options.fence?.();
    try {
      const response = await this.#pools.get(credentials)[pool].request({
        origin: this.#origin,
        path: this.#pathPrefix + path + queryString(options.query),
        method,
        headers: {
          ...credentials.headers,
          accept: "application/json",
          "user-agent": this.#userAgent,
          ...(options.body !== undefined && { "content-type": options.contentType ?? "application/json" }),
        },
        body: options.body ?? null,
        signal: options.deadline.signal,
      });
      this.#metrics?.requestFinished(String(response.statusCode), method, this.#host);
      if (response.statusCode === 401) this.#credentials.refused();
      return response;
    } catch (error) {
      this.#metrics?.requestFinished("<error>", method, this.#host);
      this.#credentials.invalidate(); // a CA that rotated shows itself as a failed handshake
      throw this.#noAnswer(options.action, error);
    }
  }

  async #authenticate(action: string) {
    try {
      return await this.#credentials.credentials();
    } catch (cause) {
      throw new KubeError(`${action}: reading the kubeconfig's credentials: ${messageOf(cause)}`, {
        status: 0,
        reason: "NoCredentials",
        cause,
      });
    }
  }

  async #answer(action: string, response: Dispatcher.ResponseData): Promise<unknown> {
    let text: string;
    try {
      text = await response.body.text();
    } catch (error) {
      throw this.#noAnswer(action, error);
    }
    const json = parseJson(text);
    const { statusCode } = response;
    if (statusCode >= 200 && statusCode < 300) {
      if (json !== undefined || text === "") return json;
      throw new KubeError(`${action}: the answer of ${this.#origin} is not JSON: ${text.slice(0, 100)}`, {
        status: statusCode,
        reason: "InvalidAnswer",
      });
    }
    const retryAfter = retryAfterSeconds(response.headers["retry-after"], this.#clock.now());
    const status = isStatus(json) ? json : { message: `${this.#origin} answered ${statusCode}: ${text.slice(0, 200)}` };
    throw KubeError.fromStatus(action, status, statusCode, retryAfter);
  }

  #noAnswer(action: string, cause: unknown): KubeError {
    return new KubeError(`${action}: no answer from ${this.#origin}: ${messageOf(cause)}`, {
      status: 0,
      reason: "ConnectionFailed",
      cause,
    });
  }

  /** Milliseconds until the next attempt; undefined when there must be none. */
  #retryDelay(method: Method, error: unknown, attempt: number): number | undefined {
    if (!(error instanceof KubeError) || attempt >= maxAttempts) return undefined;
    if (error.status === 401) return attempt === 1 ? 0 : undefined; // once more, with credentials read again
    const wasNotCarriedOut = error.status === 429 || (error.status === 0 && neverConnected(error.cause));
    const mayBeRepeated = method === "GET" && (error.reason === "ConnectionFailed" || error.status >= 500);
    if (!wasNotCarriedOut && !mayBeRepeated) return undefined;
    return Math.max((error.retryAfterSeconds ?? 0) * 1000, backoffWithJitter(retryBackoff, attempt, this.#random));
  }

  #deadline(action: string, ms: number, signal: AbortSignal | undefined): Deadline {
    const hint = "is the API server overloaded or unreachable?";
    const message = `${action}: no answer from ${this.#origin} within ${ms / 1000} s; ${hint}`;
    return new Deadline(this.#clock, ms, signal, () => new KubeError(message, { status: 0, reason: "Timeout" }));
  }
}

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStatus(json: unknown): json is Status {
  return typeof json === "object" && json !== null && "kind" in json && json.kind === "Status";
}

function retryAfterSeconds(header: string | string[] | undefined, now: number): number | undefined {
  if (typeof header !== "string") return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

const connectFailures = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Whether the request cannot have left this machine, so that even a write may be sent again. */
function neverConnected(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && connectFailures.has(String(cause.code));
}

/** Failed connections to a name with several addresses come as an AggregateError without a message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
