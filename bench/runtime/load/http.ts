import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

import { summary } from "./measured.ts";
import type { Measured } from "./measured.ts";

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly body: string | Buffer;
  /** Beside content-type and content-length. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Keeps `connections` busy with one request each for `seconds`. Rejects at the first answer that is not 200. */
export async function measureHttp(target: Target, connections: number, seconds: number): Promise<Measured> {
  const request = requestBytes(target);
  const latencies: number[] = [];
  const whole = summary(latencies);
  const end = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: connections }, () => keepBusy(target.port, request, end, latencies)));
  return whole();
}

function requestBytes({ path, body, headers }: Target): Buffer {
  const fields = {
    host: "localhost",
    "content-type": "application/json",
    ...headers,
    "content-length": Buffer.byteLength(body),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`), Buffer.from(body)]);
}

/** By hand, since an HTTP client of Node would need more of its core than the server of the other. */
async function keepBusy(port: number, request: Buffer, end: number, latencies: number[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let sent = 0;
  let received = "";
  const take = (length: number, chunk: Uint8Array): boolean => {
    received += (chunk as Buffer).toString("latin1", 0, length);
    const head = received.indexOf("\r\n\r\n");
    if (head < 0) return true;
    const body = /content-length: (\d+)/i.exec(received)?.[1];
    if (!received.startsWith("HTTP/1.1 200") || body === undefined) {
      reject(new Error(`the server answered ${received.slice(0, 500)}`));
      return false;
    }
    if (received.length < head + 4 + Number(body)) return true;
    received = "";
    const now = performance.now();
    latencies.push(now - sent);
    if (now >= end) {
      resolve();
      return false;
    }
    sent = now;
    socket.write(request);
    return true;
  };
  const socket: Socket = connect({
    port,
    host: "127.0.0.1",
    noDelay: true,
    onread: { buffer: Buffer.alloc(65_536), callback: take },
  });
  try {
    await once(socket, "connect");
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a busy connection")));
    sent = performance.now();
    socket.write(request);
    await promise;
  } finally {
    socket.destroy();
  }
}
