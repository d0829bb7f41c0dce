import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** A small stand-in for a runtime pod: answers its own name, and `/health`. */
export interface Backend {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Headers of the last request that was not a health check. */
  lastHeaders: IncomingHttpHeaders;
  /** What `/health` answers. */
  health: number;
  stop(): Promise<void>;
}

export async function startBackend(name: string, answer?: RequestListener): Promise<Backend> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url === "/health") {
      response.writeHead(backend.health).end();
      return;
    }
    backend.lastHeaders = request.headers;
    if (answer) answer(request, response);
    else request.resume().on("end", () => response.end(name));
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listening;
  const { port } = server.address() as AddressInfo;
  const backend: Backend = {
    name,
    host: "127.0.0.1",
    port,
    lastHeaders: {},
    health: 200,
    async stop() {
      const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
      server.close(() => onClosed());
      server.closeAllConnections();
      await closed;
    },
  };
  return backend;
}
