import { ServerResponse, createServer } from "node:http";
import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Config } from "../config.ts";
import type { ServingState } from "../serving-state.ts";

/**
 * Longer than proxies keep idle connections to us (cloud load balancers up to 600 s), so that it is never we who close
 * the connection on which a proxy is just sending.
 */
const KEEP_ALIVE_MS = 620_000;
/** The part of a request's time that its headers may take. */
const HEADERS_SHARE = 1 / 4;
const MOST_CHECKS_MS = 5_000;
const MAX_CONNECTIONS = 20_000;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Picks the handler by method-independent path, without its query. */
export type Router = (path: string) => Handler;

/** The listener, and how it goes away without losing a request. */
export class HttpServer {
  readonly #server: Server;

  constructor(
    route: Router,
    state: ServingState,
    config: Pick<Config, "maxConnectionAgeSeconds" | "clientTimeoutSeconds">,
  ) {
    const lifetimes = new WeakMap<Socket, number>();
    const isLast = ({ socket }: ServerResponse): boolean =>
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
      route(query < 0 ? url : url.slice(0, query))(request, response);
    });
    this.#server.on("connection", (socket: Socket) => {
      const jitter = 0.9 + Math.random() * 0.2; // clients that connected together must not come back together
      lifetimes.set(socket, performance.now() + config.maxConnectionAgeSeconds * 1000 * jitter);
    });
    this.#server.on("clientError", refuseUnparsable);
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.headersTimeout = headersMs;
    this.#server.requestTimeout = requestMs;
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
  const status = statuses[error.code ?? ""] ?? "400 Bad Request";
  const body = JSON.stringify({ error: status });
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\n\r\n${body}`);
}

type HeaderList = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * Responses that say `Connection: close` when `isLast`, judged when the answer begins rather than when the request
 * came: else a connection that was busy when the drain began would outlive it.
 */
function lastResponses(isLast: (response: ServerResponse) => boolean): typeof ServerResponse {
  return class LastResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    override writeHead(status: number, reason?: string | HeaderList, headers?: HeaderList): this {
      if (isLast(this)) this.shouldKeepAlive = false;
      return typeof reason === "string" ? super.writeHead(status, reason, headers) : super.writeHead(status, reason);
    }
  };
}
