import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Session } from "node:inspector/promises";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { pipeline } from "node:stream/promises";
import { getHeapSnapshot } from "node:v8";

export interface Profiler {
  readonly port: number;
  close(): Promise<void>;
}

const MOST_SECONDS = 60;
const USAGE = "GET /debug/heap for a heap snapshot, /debug/cpu?seconds=10 for a CPU profile\n";

/**
 * Heap snapshots and CPU profiles on demand, for Chrome's developer tools. On loopback only: what the heap holds is for
 * whoever may `kubectl port-forward` to the pod. One at a time; a snapshot stops the process while it is taken.
 */
export async function startProfiler(port: number): Promise<Profiler> {
  const closing = new AbortController();
  let isBusy = false;
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
      if (!isFromHere(request)) return refuse(response, 403, "ask by the name localhost\n");
      if (request.method !== "GET") return refuse(response, 405, USAGE);
      if (pathname !== "/debug/heap" && pathname !== "/debug/cpu") return refuse(response, 404, USAGE);
      if (isBusy) return refuse(response, 429, "another one is being taken: try again\n");
      isBusy = true;
      try {
        await (pathname === "/debug/heap" ? sendHeap(response) : sendCpu(response, searchParams, closing.signal));
      } finally {
        isBusy = false;
      }
    };
    answer().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Error(`listening on 127.0.0.1:${port} for profiles: ${cause.message}`, { cause })),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      closing.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A page in somebody's browser that had a name of its own resolve to 127.0.0.1 comes with that name. */
function isFromHere({ headers }: IncomingMessage): boolean {
  return /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(headers.host ?? "");
}

async function sendHeap(response: ServerResponse): Promise<void> {
  response.writeHead(200, download("slipway-operator.heapsnapshot"));
  await pipeline(getHeapSnapshot(), response);
}

async function sendCpu(response: ServerResponse, parameters: URLSearchParams, closing: AbortSignal): Promise<void> {
  const seconds = Number(parameters.get("seconds") ?? 10);
  if (!(seconds > 0 && seconds <= MOST_SECONDS)) {
    refuse(response, 400, `seconds: give a number above 0, up to ${MOST_SECONDS}\n`);
    return;
  }
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await wait(seconds * 1000, undefined, { signal: AbortSignal.any([gone.signal, closing]) });
    const { profile } = await session.post("Profiler.stop");
    response.writeHead(200, download("slipway-operator.cpuprofile")).end(JSON.stringify(profile));
  } finally {
    session.disconnect();
  }
}

function download(filename: string): Record<string, string> {
  return { "content-type": "application/json", "content-disposition": `attachment; filename="${filename}"` };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(message);
}
