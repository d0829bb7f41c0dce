import { once } from "node:events";
import { connect } from "node:net";

import { summary } from "./measured.ts";
import type { Measured } from "./measured.ts";

export interface GrpcTarget {
  readonly port: number;
  /** Such as /inference.GRPCInferenceService/ModelInfer. */
  readonly method: string;
  /** The request message, encoded. */
  readonly message: Buffer;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;
const HEAD_BYTES = 9;
/** All that the connection's window can grow by: it lasts for gigabytes of answers. */
const WINDOW_GROWTH = 2 ** 31 - 1 - 65_535;
/** A server gives back what it has read of its window of 64 KiB at the latest at half of it; less than that may wait. */
const MAX_WAITING_BYTES = 32_768;

/**
 * Keeps `streams` streams of one connection busy with one call each for `seconds`, as {@link measureHttp} does: by
 * hand, since a gRPC library takes more of its core for a call than the server does. Rejects at the first call that
 * fails. What the answers say is not read.
 */
export async function measureGrpc(target: GrpcTarget, streams: number, seconds: number): Promise<Measured> {
  const call = callBytes(target);
  if (call.length * streams > MAX_WAITING_BYTES) throw new Error(`${call.length} bytes are too many for a request`);
  const latencies: number[] = [];
  const whole = summary(latencies);
  const end = performance.now() + seconds * 1000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const calls = new Map<number, { readonly sent: number; bytes: number }>();
  let nextStream = 1;
  let out: Buffer[] = [];

  const begin = (now: number): void => {
    const bytes = Buffer.from(call);
    const firstFrame = HEAD_BYTES + bytes.readUIntBE(0, 3);
    bytes.writeUInt32BE(nextStream, 5);
    bytes.writeUInt32BE(nextStream, firstFrame + 5);
    calls.set(nextStream, { sent: now, bytes: 0 });
    nextStream += 2;
    out.push(bytes);
  };
  const finish = (stream: number): void => {
    const ended = calls.get(stream);
    calls.delete(stream);
    // A call that failed has trailers only.
    if (ended === undefined || ended.bytes <= 5) {
      reject(new Error("the server answered a call with an error"));
      return;
    }
    const now = performance.now();
    latencies.push(now - ended.sent);
    if (now < end) begin(now);
    else if (calls.size === 0) resolve();
  };
  const take = ({ type, flags, stream, payload }: Frame): void => {
    if (type === TYPE.data) {
      const running = calls.get(stream);
      if (running) running.bytes += payload.length;
    }
    if (type === TYPE.data || type === TYPE.headers) {
      if (flags & FLAG.endStream) finish(stream);
    } else if (type === TYPE.reset || type === TYPE.goAway) {
      reject(new Error(`the server ended the ${type === TYPE.reset ? "stream" : "connection"}`));
    } else if ((type === TYPE.settings || type === TYPE.ping) && !(flags & FLAG.ack)) {
      out.push(frame(type, FLAG.ack, 0, type === TYPE.ping ? payload : Buffer.alloc(0)));
    }
  };

  const socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true });
  try {
    await once(socket, "connect");
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a busy connection")));
    let rest: Buffer = Buffer.alloc(0);
    const flush = (): void => {
      if (out.length > 0) socket.write(Buffer.concat(out));
      out = [];
    };
    socket.on("data", (chunk: Buffer) => {
      rest = framesOf(rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk, take);
      flush();
    });
    out.push(
      PREFACE,
      frame(TYPE.settings, 0, 0, Buffer.alloc(0)),
      frame(TYPE.windowUpdate, 0, 0, uint32(WINDOW_GROWTH)),
    );
    for (let stream = 0; stream < streams; stream += 1) begin(performance.now());
    flush();
    await promise;
    return whole();
  } finally {
    socket.destroy();
  }
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Hands over the whole frames of `bytes` and returns what remains. */
function framesOf(bytes: Buffer, take: (frame: Frame) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    take({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return bytes.subarray(at);
}

/** The HEADERS and the DATA frame of a call; the number of its stream is still to be written into both. */
function callBytes({ method, message }: GrpcTarget): Buffer {
  const headers = Buffer.concat([
    Buffer.of(0x83, 0x86), // ":method: POST" and ":scheme: http" of HPACK's static table
    Buffer.of(0x04),
    text(method),
    Buffer.of(0x01), // :authority
    text("localhost"),
    Buffer.of(0x0f, 0x10), // content-type
    text("application/grpc"),
    Buffer.of(0x00),
    text("te"),
    text("trailers"),
  ]);
  const data = Buffer.concat([Buffer.of(0), uint32(message.length), message]);
  return Buffer.concat([frame(TYPE.headers, FLAG.endHeaders, 0, headers), frame(TYPE.data, FLAG.endStream, 0, data)]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string of HPACK, not Huffman coded; its length fits seven bits. */
const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
