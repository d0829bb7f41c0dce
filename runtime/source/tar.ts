import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { PassThrough } from "node:stream";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";

import { damagedArchive, noPlainFile } from "./extraction.ts";
import type { Extraction, UnpackOptions } from "./extraction.ts";

interface Header {
  readonly path: string;
  readonly size: number;
  readonly type: string;
}

const BLOCK = 512;
/** Names in extension entries are short; a longer one is an attack on our memory. */
const MAX_EXTENSION = 64 * 1024;

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** Unpacks the regular files of a tar, compressed with gzip or zstd or not at all: its first bytes tell. */
export async function unpackTar(archive: string, extraction: Extraction, options: UnpackOptions): Promise<void> {
  const plain = new PassThrough();
  const file = createReadStream(archive);
  const decompressor = await decompressorOf(archive);
  const { signal } = options;
  const copied = decompressor ? pipeline(file, decompressor, plain, { signal }) : pipeline(file, plain, { signal });
  copied.catch(() => undefined); // the reader below meets the same error
  try {
    await extract(new BlockReader(plain), extraction, options.source);
  } finally {
    plain.destroy();
  }
}

async function decompressorOf(archive: string): Promise<Transform | undefined> {
  const file = await open(archive);
  try {
    const { buffer: magic } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (magic.subarray(0, GZIP.length).equals(GZIP)) return createGunzip();
    return magic.equals(ZSTD) ? createZstdDecompress() : undefined;
  } finally {
    await file.close();
  }
}

async function extract(reader: BlockReader, extraction: Extraction, source: string): Promise<void> {
  let extension: Partial<Header> = {};
  for (;;) {
    const block = await reader.take(BLOCK);
    if (block === undefined) throw damagedArchive(source, "it ends without tar's end mark");
    if (block.every((byte) => byte === 0)) return;
    const header = { ...parseHeader(block, source), ...extension };
    extension = {};
    if (header.type === "x" || header.type === "L") {
      if (header.size > MAX_EXTENSION) throw damagedArchive(source, "an entry's name is too long");
      const content = await readContent(reader, header.size, source);
      extension = header.type === "L" ? { path: untilNul(content) } : parsePax(content);
    } else if (!extraction.admit(header.path, header.size)) await skip(reader, header.size);
    else if (header.type === "0") await extractFile(reader, header, extraction, source);
    else if (header.type === "5" || header.type === "g") await skip(reader, header.size);
    else throw noPlainFile(source, header.path);
  }
}

async function extractFile(reader: BlockReader, header: Header, extraction: Extraction, source: string): Promise<void> {
  const file = await extraction.create(header.path);
  if (file === undefined) return skip(reader, header.size);
  try {
    for (let left = header.size; left > 0;) {
      const chunk = await reader.some(left);
      if (chunk === undefined) throw damagedArchive(source, "it ends in the middle of a file");
      await file.appendFile(chunk);
      left -= chunk.length;
    }
  } finally {
    await file.close();
  }
  await skip(reader, 0, padding(header.size));
}

async function readContent(reader: BlockReader, size: number, source: string): Promise<Buffer> {
  const content = await reader.take(size + padding(size));
  if (content === undefined) throw damagedArchive(source, "it ends in the middle of an entry");
  return content.subarray(0, size);
}

async function skip(reader: BlockReader, size: number, pad = padding(size)): Promise<void> {
  for (let left = size + pad; left > 0;) {
    const chunk = await reader.some(left);
    if (chunk === undefined) return;
    left -= chunk.length;
  }
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** A ustar header; its checksum tells an archive from anything else. */
function parseHeader(block: Buffer, source: string): Header {
  const stored = octal(block.subarray(148, 156));
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  const size = octal(block.subarray(124, 136));
  if (sum !== stored || !Number.isSafeInteger(size)) throw damagedArchive(source, "an entry's header is not tar's");
  const prefix =
    block.toString("latin1", 257, 262) === "ustar" && block[263] !== 32 ? untilNul(block.subarray(345, 500)) : "";
  const name = untilNul(block.subarray(0, 100));
  const type = block[156] === 0 ? "0" : String.fromCharCode(block[156] ?? 0);
  return { path: prefix ? `${prefix}/${name}` : name, size, type };
}

/** Records of `LENGTH KEY=VALUE\n`. */
function parsePax(content: Buffer): Partial<Header> {
  const values = new Map<string, string>();
  for (let start = 0; start < content.length;) {
    const space = content.indexOf(32, start);
    const length = Number(content.toString("latin1", start, space));
    if (space < 0 || !Number.isInteger(length) || length <= 0) break;
    const [key = "", ...value] = content.toString("utf8", space + 1, start + length - 1).split("=");
    values.set(key, value.join("="));
    start += length;
  }
  const path = values.get("path");
  const size = values.get("size");
  return { ...(path !== undefined && { path }), ...(size !== undefined && { size: Number(size) }) };
}

function octal(field: Buffer): number {
  const text = field.toString("latin1").replaceAll(/[\0 ]/g, "");
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function untilNul(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

/** Cuts a stream into pieces of the sizes that its reader asks for. */
class BlockReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Exactly `size` bytes; undefined when the stream ends before. */
  async take(size: number): Promise<Buffer | undefined> {
    while (this.#rest.length < size) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
    return this.#cut(size);
  }

  /** Between one byte and `most`; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = value;
    }
    return this.#cut(Math.min(most, this.#rest.length));
  }

  #cut(size: number): Buffer {
    const piece = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return piece;
  }
}
