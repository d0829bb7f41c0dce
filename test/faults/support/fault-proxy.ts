import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent } from "undici";
import type { Dispatcher } from "undici";
import { systemClock } from "../../../operator/kube/clock.ts";
import { CredentialSource } from "../../../operator/kube/credentials.ts";

/** What an operator asked of the API server, and what became of it. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  /** Monotonic milliseconds at its arrival. */
  readonly at: number;
  /** HTTP status of the API server's own answer; undefined while there is none. */
  status?: number;
}

/** What goes wrong with one request. */
export type Fault =
  /** The API server never sees it; this is the answer. */
  | { readonly kind: "answer"; readonly status: number; readonly reason: string; readonly retryAfterSeconds?: number }
  /** The API server never sees it, and no answer comes. */
  | { readonly kind: "hang" }
  /** The API server never sees it: the connection breaks. */
  | { readonly kind: "reset" }
  /** It is carried out only then, whether or not anybody still waits for the answer. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** It is carried out; instead of its answer the connection breaks. */
  | { readonly kind: "loseAnswer" }
  /** It is carried out, then this is called where the answer would come, and none comes. */
  | { readonly kind: "withhold"; readonly before: () => void }
  /** Of a watch: the connection ends in the middle of a line, after so many whole ones. */
  | { readonly kind: "cut"; readonly afterLines: number }
  /** Of a watch: everything comes so much later. */
  | { readonly kind: "lag"; readonly ms: number }
  /** Of a watch: its first line says that its resourceVersion is too old. */
  | { readonly kind: "expire" };

interface Security {
  readonly key: Buffer;
  readonly cert: Buffer;
}

interface ProxyOptions {
  /** With a certificate the proxy speaks TLS. */
  readonly tls?: Security;
  /** Whoever does not bring this bearer token is answered 401. */
  readonly token?: string;
}

const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** Stands between an operator and an API server: records every request, and lets any of them go wrong. */
export class FaultProxy implements AsyncDisposable {
  readonly requests: ProxiedRequest[] = [];
  /** Asked for each request, before it is forwarded. */
  faultFor: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  /** Only one write at a time is with the API server: then their order is their order here. */
  serialWrites = false;
  /** Monotonic milliseconds at which all that is told late of watches will have been told, as far as it is known. */
  toldAt = Number.NEGATIVE_INFINITY;
  readonly #upstream: URL;
  readonly #credentials: CredentialSource;
  #options: ProxyOptions;
  #server: Server | undefined;
  #agent: Agent | undefined;
  #port = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();
  readonly #hanging = new Set<ServerResponse>();
  readonly #closing = new AbortController();

  private constructor(kubeConfig: KubeConfig, options: ProxyOptions) {
    const server = kubeConfig.getCurrentCluster()?.server;
    if (server === undefined) throw new Error("the kubeconfig names no cluster to stand in front of");
    this.#upstream = new URL(server);
    this.#credentials = new CredentialSource(kubeConfig, systemClock);
    this.#options = options;
  }

  static async start(kubeConfig: KubeConfig, options: ProxyOptions = {}): Promise<FaultProxy> {
    const proxy = new FaultProxy(kubeConfig, options);
    await proxy.up();
    return proxy;
  }

  get url(): string {
    return `${this.#options.tls ? "https" : "http"}://127.0.0.1:${this.#port}`;
  }

  /** Writes that arrived, but those of Events and of leases: these come in their own time. */
  get writes(): ProxiedRequest[] {
    return this.requests.filter(isObjectWrite);
  }

  /** Takes connections (again, on the same port), from now on with other credentials if they are given. */
  async up(options: ProxyOptions = this.#options): Promise<void> {
    this.#options = options;
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
    server.requestTimeout = 0;
    await new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen(this.#port, "127.0.0.1", () => resolve()),
    );
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks every connection and refuses new ones. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const response of this.#hanging) response.destroy();
    await this.down();
    await this.#agent?.destroy();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await this.#receive(incoming);
      if (this.#options.token !== undefined && incoming.headers.authorization !== `Bearer ${this.#options.token}`) {
        answer(response, 401, "Unauthorized");
        return;
      }
      const isWrite = WRITES.has(request.method);
      const carryOut = (): Promise<void> => this.#carryOut(request, incoming, response);
      if (!isWrite || !this.serialWrites) return await carryOut();
      const turn = this.#lastWrite.then(carryOut);
      this.#lastWrite = turn.catch(() => {});
      await turn;
    } catch {
      response.destroy(); // one of both sides has gone: the other is to see that too
    }
  }

  async #receive(incoming: IncomingMessage): Promise<ProxiedRequest> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const url = new URL(incoming.url ?? "/", "http://proxy");
    const body = Buffer.concat(chunks).toString();
    const { method = "GET" } = incoming;
    const request = { method, path: url.pathname, query: url.searchParams, body, at: performance.now() };
    this.requests.push(request);
    return request;
  }

  async #carryOut(request: ProxiedRequest, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if (response.destroyed) return;
    const fault = this.faultFor(request);
    if (fault?.kind === "answer") return answer(response, fault.status, fault.reason, fault.retryAfterSeconds);
    if (fault?.kind === "reset") return void response.destroy();
    if (fault?.kind === "hang") return this.#hang(response);
    if (fault?.kind === "hold") await fault.until;
    const upstream = await this.#forward(request, incoming);
    request.status = upstream.statusCode;
    if (request.query.get("watch") === "true") return this.#relayWatch(upstream, response, fault);
    const body = await upstream.body.text();
    if (fault?.kind === "loseAnswer") return void response.destroy();
    if (fault?.kind === "withhold") {
      fault.before();
      return this.#hang(response);
    }
    response.writeHead(upstream.statusCode, { "content-type": String(upstream.headers["content-type"]) }).end(body);
  }

  async #forward(request: ProxiedRequest, incoming: IncomingMessage): Promise<Dispatcher.ResponseData> {
    const { headers, tls } = await this.#credentials.credentials();
    this.#agent ??= new Agent({ connect: tls, headersTimeout: 0, bodyTimeout: 0 });
    const { accept, "content-type": contentType, "user-agent": agent } = incoming.headers;
    return this.#agent.request({
      origin: this.#upstream.origin,
      path: incoming.url ?? "/",
      method: request.method,
      headers: {
        ...headers,
        accept: accept ?? "application/json",
        "user-agent": agent ?? "fault-proxy",
        ...(contentType !== undefined && { "content-type": contentType }),
      },
      body: request.body === "" ? null : request.body,
      signal: this.#closing.signal,
    });
  }

  async #relayWatch(
    upstream: Dispatcher.ResponseData,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    response.once("close", () => upstream.body.destroy());
    upstream.body.on("error", () => response.destroy());
    response.writeHead(upstream.statusCode, { "content-type": String(upstream.headers["content-type"]) });
    response.flushHeaders();
    if (fault?.kind === "expire") {
      const object = { kind: "Status", status: "Failure", code: 410, reason: "Expired", message: "the test says so" };
      response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return;
    }
    let lines = 0;
    for await (const chunk of upstream.body as AsyncIterable<Buffer>) {
      if (fault?.kind === "lag") {
        setTimeout(() => response.destroyed || response.write(chunk), fault.ms);
        this.toldAt = performance.now() + fault.ms;
        continue;
      }
      lines += chunk.filter((byte) => byte === NEWLINE).length;
      if (fault?.kind === "cut" && lines > fault.afterLines) {
        response.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => response.destroy());
        return;
      }
      response.write(chunk);
    }
    response.end();
  }

  #hang(response: ServerResponse): void {
    this.#hanging.add(response);
    response.once("close", () => this.#hanging.delete(response));
  }
}

/** Whether it changes an object: neither an Event nor the lease, which are written in their own time. */
export function isObjectWrite({ method, path }: ProxiedRequest): boolean {
  return WRITES.has(method) && !path.includes("/events") && !path.includes("/leases");
}

/** Whether it makes, changes or deletes a child: neither a report nor the touch of a router's pod. */
export function isChildWrite(request: ProxiedRequest): boolean {
  return isObjectWrite(request) && !/\/(modeldeployments|pods)\//.test(request.path);
}

function answer(response: ServerResponse, code: number, reason: string, retryAfterSeconds?: number): void {
  const message = `the test answers ${code} ${reason}`;
  const body = { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
  response
    .writeHead(code, {
      "content-type": "application/json",
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    })
    .end(JSON.stringify(body));
}

const NEWLINE = 0x0a;
