import { constants, fstatSync, openSync, write } from "node:fs";
import type { Stats } from "node:fs";
import { Socket } from "node:net";

import type { Line, Sink, Written } from "./sink.ts";

const STDOUT = 1;
/** PIPE_BUF of Linux: what is no longer stays in one piece, whoever else writes to the pipe, and needs no waiting in between. */
const ATOMIC_BYTES = 4096;

/** Writes one chunk; resolves when it is written. */
interface Output {
  write(chunk: string): Promise<void>;
  close(): void;
}

/**
 * Lines on stdout. A reader that stalls stalls this sink and nothing else: the pipe is opened once more, so that only we
 * do not wait for it.
 */
export function stdoutSink(): Sink {
  const output = openStdout();
  return {
    maxLineBytes: ATOMIC_BYTES - 1,
    async write(lines): Promise<Written> {
      let written = 0;
      try {
        for (const chunk of chunksOf(lines)) {
          await output.write(chunk.text);
          written += chunk.lines;
        }
        return { written };
      } catch (error) {
        return { written, error: error as Error };
      }
    },
    close: async () => output.close(),
  };
}

/** As many whole lines as a pipe takes in one piece. */
function* chunksOf(lines: readonly Line[]): Generator<{ text: string; lines: number }> {
  let chunk = { text: "", lines: 0 };
  let bytes = 0;
  for (const { json } of lines) {
    const length = Buffer.byteLength(json) + 1;
    if (bytes + length > ATOMIC_BYTES && chunk.lines > 0) {
      yield chunk;
      chunk = { text: "", lines: 0 };
      bytes = 0;
    }
    chunk = { text: `${chunk.text}${json}\n`, lines: chunk.lines + 1 };
    bytes += length;
  }
  if (chunk.lines > 0) yield chunk;
}

function openStdout(): Output {
  const stat = fstatSync(STDOUT);
  return stat.isFIFO() || stat.isSocket() ? streamOutput(stat) : fileOutput();
}

function streamOutput(stat: Stats): Output {
  const fd = stat.isFIFO() ? openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK) : STDOUT;
  const socket = new Socket({ fd, readable: false, writable: true });
  let failure: Error | undefined;
  socket.on("error", (error) => {
    failure = error;
  });
  return {
    write: (chunk) =>
      new Promise((resolve, reject) => {
        const failed = (): void => reject(failure ?? new Error("stdout is closed"));
        if (socket.destroyed) {
          failed();
          return;
        }
        socket.once("close", failed);
        socket.write(chunk, (error) => {
          socket.off("close", failed);
          if (error) reject(error);
          else resolve();
        });
      }),
    close: () => void socket.destroy(),
  };
}

/** A file or a terminal: there is nobody to wait for. */
function fileOutput(): Output {
  return {
    write: async (chunk) => {
      for (let rest = Buffer.from(chunk); rest.length > 0;) rest = rest.subarray(await writeSome(rest));
    },
    close: () => undefined,
  };
}

const writeSome = (bytes: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    write(STDOUT, bytes, (error, written) => (error ? reject(error) : resolve(written)));
  });
