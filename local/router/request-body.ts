import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

export interface RequestBody {
  readonly content: Buffer | Readable | null;
  /** True when it can be sent to another endpoint after a first one could not be reached. */
  readonly repeatable: boolean;
}

/** What is kept for a retry, as in Envoy; more is streamed and sent once. */
const KEPT_BYTES = 1024 * 1024;

/** Reads the body if it is small, else its first megabyte, with the rest to be streamed behind. */
export async function readStart(request: IncomingMessage): Promise<RequestBody> {
  if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined) {
    return { content: null, repeatable: true };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const source = request[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  while (size <= KEPT_BYTES) {
    const next = await source.next();
    if (next.done) return { content: Buffer.concat(chunks), repeatable: true };
    chunks.push(next.value);
    size += next.value.length;
  }
  return { content: Readable.from(continued(chunks, source), { objectMode: false }), repeatable: false };
}

async function* continued(start: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* start;
  yield* { [Symbol.asyncIterator]: () => rest };
}
