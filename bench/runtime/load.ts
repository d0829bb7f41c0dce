import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly body: string;
}

export interface Measured {
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Keeps `connections` busy with one request each for `seconds`. Rejects at the first answer that is not 200. */
export async function measure(target: Target, connections: number, seconds: number): Promise<Measured> {
  const request = requestBytes(target);
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true });
      await once(socket, "connect");
      await keepBusy(socket, request, end, latencies);
      socket.destroy();
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { rate: latencies.length / elapsed, p50: quantile(0.5), p99: quantile(0.99) };
}

function requestBytes({ path, body }: Target): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: localhost",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** By hand, since an HTTP client of Node would need more of its core than the server of the other. */
function keepBusy(socket: Socket, request: Buffer, end: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = performance.now();
    let received = "";
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a busy connection")));
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const head = received.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = /content-length: (\d+)/i.exec(received)?.[1];
      if (length === undefined || received.length < head + 4 + Number(length)) return;
      if (!received.startsWith("HTTP/1.1 200")) {
        reject(new Error(`the server answered ${received.slice(0, 500)}`));
        return;
      }
      received = "";
      const now = performance.now();
      latencies.push(now - sent);
      if (now >= end) {
        socket.removeAllListeners("close");
        resolve();
        return;
      }
      sent = now;
      socket.write(request);
    });
    socket.write(request);
  });
}
