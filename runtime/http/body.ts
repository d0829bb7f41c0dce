import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { promisify } from "node:util";
import type { ZlibOptions } from "node:zlib";

import { BINARY_HEADER } from "../protocol/infer-body.ts";
import { jsonErrorPosition } from "../protocol/json-error.ts";
import { releaseMemory } from "../release-memory.ts";
import { ClientGoneError, RequestError } from "./request-error.ts";

/** Bytes of a refused body that are still read, as a multiple of the limit: a client that is cut off rarely sees the 413. */
const DISCARDED = 4;

/** Bytes of the largest numbers, which begin at multiples of them. */
const MOST_ALIGNED = 8;

/** All bodies that are being read share so many times the bytes of the largest one: many slow clients need no gigabytes. */
const SHARED = 16;

/** How much memory bodies may take. One for all endpoints of a process. */
export class BodyBudget {
  readonly maxBytes: number;
  #held = 0;

  /** `maxBytes` is the largest single body. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** False when there is no room; the bytes are held all the same until they are released. */
  hold(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= this.maxBytes * SHARED;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}

const DECODERS: ReadonlyMap<string, (body: Buffer, options: ZlibOptions) => Promise<Buffer>> = new Map([
  [
    "gzip",
    async (body, options) => promisify<Buffer, ZlibOptions, Buffer>((await import("node:zlib")).gunzip)(body, options),
  ],
  [
    "deflate",
    async (body, options) => promisify<Buffer, ZlibOptions, Buffer>((await import("node:zlib")).inflate)(body, options),
  ],
]);

export const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Throws a RequestError (415) for a body that says of itself that it is something else than what is `accepted`. */
export function requireContent(headers: IncomingHttpHeaders, accepted: readonly RegExp[], advice: string): void {
  const type = headers["content-type"];
  if (type !== undefined && !accepted.some((pattern) => pattern.test(type))) {
    throw new RequestError(415, `the content type is ${type.slice(0, 100)}: ${advice}`);
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity" && !DECODERS.has(encoding)) {
    const known = [...DECODERS.keys()].join(" or ");
    throw new RequestError(
      415,
      `the content encoding is ${encoding.slice(0, 100)}: send ${known}, or the body as it is`,
    );
  }
}

/** The JSON document of these bytes. Throws a RequestError (400). */
export function parseJson(body: Buffer): unknown {
  const text = decodeText(body);
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = jsonErrorPosition(text);
    const msg = `JSON decode error at position ${position}: ${(error as Error).message}`;
    throw new RequestError(400, msg, { problems: [{ loc: ["body", position], msg, type: "json_invalid" }] });
  }
}

/** Throws a RequestError (400). */
export function decodeText(body: Buffer): string {
  if (!isUtf8(body)) throw new RequestError(400, "the body is not valid UTF-8");
  return body.toString("utf8");
}

/** A request's body. Whoever has read one disposes of it when nothing looks at its bytes any more. */
export interface Body extends Disposable {
  readonly bytes: Buffer;
}

/** All of a request's body, unpacked. Rejects with a RequestError (400, 413, 503), or a ClientGoneError. */
export async function readBody(request: IncomingMessage, budget: BodyBudget): Promise<Body> {
  const sent = await readSent(request, budget);
  const encoding = request.headers["content-encoding"] ?? "";
  const decode = DECODERS.get(encoding);
  if (decode === undefined) return sent;
  using packed = sent;
  const bytes = await decode(packed.bytes, { maxOutputLength: budget.maxBytes }).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === "ERR_BUFFER_TOO_LARGE"
        ? tooLarge(budget.maxBytes)
        : new RequestError(400, `the body is no ${encoding}: ${error.message}`);
    },
  );
  return bodyOf(bytes);
}

function readSent(request: IncomingMessage, budget: BodyBudget): Promise<Body> {
  const { maxBytes } = budget;
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    let held = 0;
    const announced = Number(request.headers["content-length"] ?? 0);
    let refusal = announced > maxBytes ? tooLarge(maxBytes) : undefined;
    if (refusal && announced > maxBytes * DISCARDED) {
      reject(refusal);
      return;
    }
    const letGo = (): void => {
      chunks = [];
      budget.release(held);
      held = 0;
    };
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (refusal === undefined) {
        chunks.push(chunk);
        held += chunk.length;
        const hasRoom = budget.hold(chunk.length);
        if (size > maxBytes) refusal = tooLarge(maxBytes);
        else if (!hasRoom) refusal = noRoom();
        if (refusal) letGo();
      }
      if (size > maxBytes * DISCARDED) reject(refusal ?? tooLarge(maxBytes));
    });
    request.on("end", () => {
      if (refusal) reject(refusal);
      else resolve(joined(chunks, size, Number(request.headers[BINARY_HEADER] ?? 0)));
      letGo();
    });
    const abandon = (cause?: Error): void => {
      letGo();
      reject(new ClientGoneError("the request was not sent to its end", { cause }));
    };
    request.on("error", abandon);
    request.on("close", () => {
      if (!request.readableEnded) abandon(); // an Error a request, made in vain, would be a tenth of its cost
    });
  });
}

/**
 * The chunks, which are released, end to end. The byte at `rawStart` gets a place in memory where numbers of any size may
 * begin, so that binary tensors need not be copied.
 */
function joined(chunks: readonly Buffer[], size: number, rawStart: number): Body {
  const [only] = chunks;
  if (only && chunks.length === 1) return bodyOf(only);
  const isSaid = Number.isSafeInteger(rawStart); // who sent something else is told so later
  const before = isSaid ? (MOST_ALIGNED - (rawStart % MOST_ALIGNED)) % MOST_ALIGNED : 0;
  const memory = Buffer.allocUnsafeSlow(before + size);
  let position = before;
  for (const chunk of chunks) {
    memory.set(chunk, position);
    position += chunk.length;
    releaseMemory(chunk);
  }
  return bodyOf(memory, memory.subarray(before));
}

const bodyOf = (memory: Buffer, bytes = memory): Body => ({ bytes, [Symbol.dispose]: () => releaseMemory(memory) });

function tooLarge(maxBytes: number): RequestError {
  const message = `the body has more than ${maxBytes} bytes: send fewer rows in one request, or raise MAX_BODY_BYTES`;
  return new RequestError(413, message, { headers: { connection: "close" } });
}

function noRoom(): RequestError {
  const headers = { "retry-after": "1", connection: "close" };
  return new RequestError(503, "too many large bodies are being sent: try again", { reason: "overloaded", headers });
}
