import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { LogRequest } from "./container-log.ts";

const PORT = 10250;
const NETWORKS = 256;

type ReadLog = (request: LogRequest, signal: AbortSignal) => AsyncGenerator<string>;

/**
 * The part of a kubelet's HTTP API that `kubectl logs` needs. Its address, 127.77.N.1:10250, also claims the addresses of
 * 127.77.N.0/24 for this kubelet's pods: another kubelet on the machine finds it taken and uses the next N.
 */
export class LogServer {
  readonly network: string;
  readonly port = PORT;
  private readonly server: Server;

  private constructor(server: Server, network: string) {
    this.server = server;
    this.network = network;
  }

  static async start(readLog: ReadLog): Promise<LogServer> {
    const server = createServer((request, response) => void serve(request, response, readLog));
    for (let n = 0; n < NETWORKS; n++) {
      const network = `127.77.${n}`;
      if (await listens(server, `${network}.1`)) return new LogServer(server, network);
    }
    throw new Error(`no kubelet can start: all of 127.77.0.1 to 127.77.${NETWORKS - 1}.1 have port ${PORT} in use`);
  }

  get address(): string {
    return `${this.network}.1`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

function listens(server: Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error));
    server.once("error", fail);
    server.listen(PORT, address, () => {
      server.off("error", fail);
      resolve(true);
    });
  });
}

async function serve(request: IncomingMessage, response: ServerResponse, readLog: ReadLog): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://kubelet");
  const [, route, namespace, pod, container] = pathname.split("/");
  if (route !== "containerLogs" || namespace === undefined || pod === undefined) {
    response.writeHead(404).end("the local kubelet serves /containerLogs/{namespace}/{pod}/{container} only\n");
    return;
  }
  const left = new AbortController();
  response.on("close", () => left.abort());
  try {
    const lines = readLog(
      { namespace, pod, ...(container !== undefined && { container }), ...flagsOf(searchParams) },
      left.signal,
    );
    response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
    for await (const line of lines) {
      if (!response.write(line)) await drained(response, left.signal);
      if (left.signal.aborted) return;
    }
    response.end();
  } catch (error) {
    if (!response.headersSent) response.writeHead(404);
    response.end(`${(error as Error).message}\n`);
  }
}

function flagsOf(query: URLSearchParams): Omit<LogRequest, "namespace" | "pod"> {
  const number = (name: string) => (query.has(name) ? { [name]: Number(query.get(name)) } : {});
  const flag = (name: string) => ({ [name]: query.get(name) === "true" });
  return {
    ...number("tailLines"),
    ...number("sinceSeconds"),
    ...number("limitBytes"),
    ...flag("follow"),
    ...flag("previous"),
    ...flag("timestamps"),
  };
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
