import type { RequestOptions } from "node:https";
import { createInterface } from "node:readline";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher } from "undici";

const REQUEST_TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

const PATCH_TYPES = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

interface RequestExtras {
  body?: unknown;
  /** How a PATCH body is meant. */
  patch?: keyof typeof PATCH_TYPES;
  query?: Readonly<Record<string, string | number | boolean>>;
  signal?: AbortSignal;
}

/** An answer other than 2xx. The message names the request and what the API server said. */
class ClusterError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(request: string, status: number, reason: string, message: string) {
    super(`${request}: ${message} (${status} ${reason})`);
    this.name = "ClusterError";
    this.status = status;
    this.reason = reason;
  }
}

export function hasStatus(error: unknown, ...statuses: number[]): boolean {
  return error instanceof ClusterError && statuses.includes(error.status);
}

export interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: unknown;
}

/** JSON over pooled connections to the API server that a kubeconfig's current context names. */
export class ClusterClient {
  readonly server: string;
  private readonly dispatcher: Agent;
  private readonly headers: Readonly<Record<string, string>>;

  private constructor(server: string, dispatcher: Agent, headers: Record<string, string>) {
    this.server = server;
    this.dispatcher = dispatcher;
    this.headers = headers;
  }

  /** To a server of plain HTTP that asks nobody who they are, as the embedded one. */
  static plain(server: string): ClusterClient {
    return new ClusterClient(server, new Agent(), {});
  }

  static async connect(kubeConfig: KubeConfig): Promise<ClusterClient> {
    const server = kubeConfig.getCurrentCluster()?.server.replace(/\/$/, "");
    if (server === undefined) throw new Error("the kubeconfig names no cluster: set its current-context");
    if (server.startsWith("http:")) return ClusterClient.plain(server);

    const options: RequestOptions = {};
    await kubeConfig.applyToHTTPSOptions(options);
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const connect = {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    };
    return new ClusterClient(server, new Agent({ connect }), authorizationOf(options));
  }

  /** @throws ClusterError for an answer other than 2xx; undici's errors when there is none. */
  async request<T>(method: Method, path: string, extras: RequestExtras = {}): Promise<T> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const answer = await this.send(method, path, {
      ...extras,
      signal: extras.signal === undefined ? timeout : AbortSignal.any([extras.signal, timeout]),
    });
    const text = await boundedText(answer.body, `${method} ${path}`);
    if (answer.statusCode >= 300) throw errorOf(`${method} ${path}`, answer.statusCode, text);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** The events of one watch request, until the server ends it, the connection breaks (throws) or `signal` aborts (throws). */
  async *watch(
    path: string,
    query: Readonly<Record<string, string | number | boolean>>,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent> {
    const answer = await this.send("GET", path, { query: { ...query, watch: true }, signal, endless: true });
    if (answer.statusCode >= 300) {
      throw errorOf(`WATCH ${path}`, answer.statusCode, await boundedText(answer.body, `WATCH ${path}`));
    }
    const lines = createInterface({ input: answer.body, crlfDelay: Infinity });
    // readline swallows the stream's error: without this a broken connection would look like a clean end.
    let failure: Error | undefined;
    answer.body.once("error", (error) => {
      failure = error;
      lines.close();
    });
    for await (const line of lines) {
      if (line !== "") yield JSON.parse(line) as WatchEvent;
    }
    if (failure !== undefined) throw failure;
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  private send(
    method: Method,
    path: string,
    { body, patch, query, signal, endless }: RequestExtras & { endless?: boolean },
  ): Promise<Dispatcher.ResponseData> {
    const url = new URL(this.server + path);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, String(value));
    return this.dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: {
        accept: "application/json",
        ...this.headers,
        ...(body !== undefined && { "content-type": patch === undefined ? "application/json" : PATCH_TYPES[patch] }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
      ...(endless === true && { bodyTimeout: 0 }),
    });
  }
}

function authorizationOf({ headers, auth }: RequestOptions): Record<string, string> {
  if (auth !== undefined && auth !== null) {
    return { authorization: `Basic ${Buffer.from(auth).toString("base64")}` };
  }
  const entries = Object.entries(headers ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(entries);
}

async function boundedText(body: Dispatcher.ResponseData["body"], request: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`${request}: the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function errorOf(request: string, status: number, text: string): ClusterError {
  const { reason = "Unknown", message = text.slice(0, 500) } = parseStatus(text);
  return new ClusterError(request, status, reason, message);
}

function parseStatus(text: string): { reason?: string; message?: string } {
  try {
    return JSON.parse(text) as { reason?: string; message?: string };
  } catch {
    return {}; // a proxy's page rather than a Status: its text becomes the message
  }
}
