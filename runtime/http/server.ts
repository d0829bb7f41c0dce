import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { Config } from "../config.ts";
import type { ServingState } from "../serving-state.ts";

/**
 * Longer than proxies keep idle connections to us (cloud load balancers up to 600 s), so that it is never we who close
 * the connection on which a proxy is just sending.
 */
const KEEP_ALIVE_MS = 620_000;
/** A client that dribbles its headers or its body holds a connection no longer than this. */
const HEADERS_MS = 15_000;
const REQUEST_MS = 60_000;
const MAX_CONNECTIONS = 20_000;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Picks the handler by method-independent path, without its query. */
export type Router = (path: string) => Handler;

/** The listener, and how it goes away without losing a request. */
export class HttpServer {
  readonly #server: Server;

  constructor(route: Router, state: ServingState, config: Pick<Config, "maxConnectionAgeSeconds">) {
    const lifetimes = new WeakMap<Socket, number>();
    this.#server = createServer({ connectionsCheckingInterval: 5_000 }, (request, response) => {
      const expires = lifetimes.get(request.socket) ?? Number.POSITIVE_INFINITY;
      if (state.draining || performance.now() > expires) response.shouldKeepAlive = false;
      const { url = "/" } = request;
      const query = url.indexOf("?");
      route(query < 0 ? url : url.slice(0, query))(request, response);
    });
    this.#server.on("connection", (socket: Socket) => {
      const jitter = 0.9 + Math.random() * 0.2; // clients that connected together must not come back together
      lifetimes.set(socket, performance.now() + config.maxConnectionAgeSeconds * 1000 * jitter);
    });
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.headersTimeout = HEADERS_MS;
    this.#server.requestTimeout = REQUEST_MS;
    this.#server.maxConnections = MAX_CONNECTIONS;
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
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(cut);
  }
}
