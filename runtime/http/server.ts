import { ServerResponse, createServer } from "node:http";
import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Config } from "../config.ts";
import type { ServingState } from "../serving-state.ts";
import { answerHot } from "./answer-hot.ts";
import type { BodyBudget } from "./body.ts";
import { DirectConnections } from "./direct/connections.ts";
import type { HotEndpoint } from "./hot-endpoint.ts";
import { refuse } from "./refuse.ts";

/**
 * Longer than proxies keep idle connections to us (cloud load balancers up to 600 s), so that it is never we who close
 * the connection on which a proxy is just sending.
 */
const KEEP_ALIVE_MS = 620_000;
/** The part of a request's time that its headers may take. */
const HEADERS_SHARE = 1 / 4;
const MOST_CHECKS_MS = 5_000;
/** Far more than the second packet of a request needs. */
const SMALL_BODY_MS = 1_000;
const CHECK_MS = 1_000;
const MAX_CONNECTIONS = 20_000;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** By method-independent path, without its query. */
export interface Routes {
  readonly hot: (path: string) => HotEndpoint | undefined;
  /** Whatever is not hot. */
  readonly cold: (path: string) => Handler;
}

/**
 * The listener, and how it goes away without losing a request. Every connection begins as a direct one, and becomes
 * node:http's with the first request that is not a plain one for the hot path.
 */
export class HttpServer {
  readonly #server: Server;
  readonly #direct: DirectConnections;

  constructor(
    { hot, cold }: Routes,
    bodies: BodyBudget,
    state: ServingState,
    config: Pick<Config, "maxConnectionAgeSeconds" | "clientTimeoutSeconds">,
  ) {
    const lifetimes = new WeakMap<Socket, number>();
    const isLast = (socket: Socket | null): boolean =>
      state.draining || performance.now() > ((socket && lifetimes.get(socket)) ?? Number.POSITIVE_INFINITY);
    const requestMs = config.clientTimeoutSeconds * 1000;
    const headersMs = requestMs * HEADERS_SHARE;
    const options = {
      ServerResponse: lastResponses(isLast),
      connectionsCheckingInterval: Math.min(Math.ceil(headersMs / 3), MOST_CHECKS_MS),
    };
    this.#server = createServer(options, (request, response) => {
      const { url = "/" } = request;
      const query = url.indexOf("?");
      const path = query < 0 ? url : url.slice(0, query);
      const endpoint = hot(path);
      if (endpoint === undefined) cold(path)(request, response);
      else void answerHot(endpoint, bodies, request, response);
    });
    this.#server.on("clientError", refuseUnparsable);
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.headersTimeout = headersMs;
    this.#server.requestTimeout = requestMs;
    this.#server.maxConnections = MAX_CONNECTIONS;

    const [serveByNode] = this.#server.listeners("connection");
    const direct = {
      route: hot,
      bodies,
      isLast,
      handOver: (socket: Socket) => serveByNode?.call(this.#server, socket),
      timeouts: {
        head: headersMs,
        body: Math.min(SMALL_BODY_MS, headersMs),
        flush: requestMs,
        keepAlive: KEEP_ALIVE_MS,
      },
    };
    this.#direct = new DirectConnections(direct, Math.min(Math.ceil(headersMs / 3), CHECK_MS));
    this.#server.removeAllListeners("connection").on("connection", (socket: Socket) => {
      const jitter = 0.9 + Math.random() * 0.2; // clients that connected together must not come back together
      lifetimes.set(socket, performance.now() + config.maxConnectionAgeSeconds * 1000 * jitter);
      this.#direct.serve(socket);
    });
  }

  /** Resolves with the port. Rejects with the system's error when the address is taken. */
  listen(port: number, host: string | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, ...(host !== undefined && { host }) }, () => {
        this.#server.off("error", reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no new connection, lets running requests end for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#direct.closeIdle();
    const cut = setTimeout(() => {
      this.#server.closeAllConnections();
      this.#direct.destroy();
    }, graceMs);
    await closed;
    clearTimeout(cut);
    this.#direct.destroy();
  }
}

/** Bytes that are no HTTP request never reach a handler; the answer is JSON all the same. */
function refuseUnparsable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const statuses: Record<string, string> = {
    HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
    ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  };
  refuse(socket, statuses[error.code ?? ""] ?? "400 Bad Request");
}

type HeaderList = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * Responses that say `Connection: close` when `isLast`, judged when the answer begins rather than when the request
 * came: else a connection that was busy when the drain began would outlive it.
 */
function lastResponses(isLast: (socket: Socket | null) => boolean): typeof ServerResponse {
  return class LastResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    override writeHead(status: number, reason?: string | HeaderList, headers?: HeaderList): this {
      if (isLast(this.socket)) this.shouldKeepAlive = false;
      return typeof reason === "string" ? super.writeHead(status, reason, headers) : super.writeHead(status, reason);
    }
  };
}
