import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Pool } from "undici";
import { endToEnd } from "../router/forwarded-headers.ts";

/** Longer than clients keep a connection, so that none sends a request into one that closes. */
const KEEP_ALIVE_MS = 620_000;
/** Below the runtime's, for the same reason. */
const IDLE_MS = 30_000;
/** A request that has not come whole by then is given up. */
const REQUEST_MS = 60_000;
/** What is still under way this long after the end is cut. */
const CLOSE_MS = 20_000;

/** The address that stays while runtimes come and go behind it. */
export class Front {
  private readonly server: Server;
  private runtime: Pool | undefined;

  private constructor(server: Server) {
    this.server = server;
    server.on("request", (request, response) => void this.forward(request, response));
  }

  /** @throws the system's error when it cannot listen there */
  static async listen(port: number, host: string): Promise<Front> {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS });
    server.listen(port, host);
    await once(server, "listening");
    return new Front(server);
  }

  /** New requests go to `port` of this machine. Resolves when those that went elsewhere before are answered. */
  async moveTo(port: number): Promise<void> {
    const former = this.runtime;
    this.runtime = new Pool(`http://127.0.0.1:${port}`, { keepAliveTimeout: IDLE_MS, keepAliveMaxTimeout: IDLE_MS });
    await former?.close();
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    const cut = setTimeout(() => this.server.closeAllConnections(), CLOSE_MS);
    await closed;
    clearTimeout(cut);
    await this.runtime?.close();
  }

  private async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { runtime } = this;
    const cancelled = new AbortController();
    response.once("close", () => cancelled.abort());
    try {
      if (runtime === undefined) throw new Error("no model is served yet");
      const answer = await runtime.request({
        method: request.method ?? "GET",
        path: request.url ?? "/",
        headers: endToEnd(request.headersDistinct),
        body: hasBody(request) ? request : null,
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: cancelled.signal,
      });
      response.writeHead(answer.statusCode, endToEnd(answer.headers));
      await pipeline(answer.body, response);
    } catch (error) {
      if (response.headersSent || cancelled.signal.aborted) response.destroy();
      else
        response.writeHead(502, { "content-type": "application/json" }).end(JSON.stringify({ error: String(error) }));
    }
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}
