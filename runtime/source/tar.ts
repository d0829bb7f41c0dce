import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import { LoadError } from "../load-error.ts";
import { tooLarge } from "./file-tree.ts";
import { requireSafePath } from "./safe-path.ts";

export interface UnpackOptions {
  /** For messages. */
  readonly source: string;
  /** Most bytes of the unpacked files together. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

interface Header {
  readonly path: string;
  readonly size: number;
  readonly type: string;
}

const BLOCK = 512;
const MAX_ENTRIES = 10_000;
/** Names in extension entries are short; a longer one is an attack on our memory. */
const MAX_EXTENSION = 64 * 1024;

export const isArchive = (path: string): boolean => /\.(?:tar\.gz|tgz)$/i.test(path);

/**
 * Unpacks the regular files of a .tar.gz into `folder`; when all lie in one top folder, that folder's content.
 * Throws a LoadError for anything else than files and folders (links could leave the folder), and for damage.
 */
export async function unpack(archive: string, folder: string, options: UnpackOptions): Promise<void> {
  const unzipped = new PassThrough();
  const zipped = pipeline(createReadStream(archive), createGunzip(), unzipped, { signal: options.signal });
  zipped.catch(() => undefined); // the reader below meets the same error
  try {
    await extract(new BlockReader(unzipped), folder, options);
    unzipped.destroy();
  } catch (cause) {
    options.signal.throwIfAborted();
    if (cause instanceof LoadError) throw cause;
    throw damaged(options.source, (cause as Error).message, cause);
  }
  await liftSingleFolder(folder);
}

async function extract(reader: BlockReader, folder: string, options: UnpackOptions): Promise<void> {
  const { source, maxBytes } = options;
  let extension: Partial<Header> = {};
  let total = 0;
  for (let entry = 0; ; entry += 1) {
    const block = await reader.take(BLOCK);
    if (block === undefined || block.every((byte) => byte === 0)) return;
    if (entry > MAX_ENTRIES)
      throw new LoadError("ArtifactTooLarge", `loading ${source}: the archive has more than ${MAX_ENTRIES} entries`);
    const header = { ...parseHeader(block, source), ...extension };
    extension = {};
    if (header.type === "x" || header.type === "L") {
      if (header.size > MAX_EXTENSION) throw damaged(source, "an entry's name is too long");
      const content = await readContent(reader, header.size, source);
      extension = header.type === "L" ? { path: untilNul(content) } : parsePax(content);
      continue;
    }
    total += header.size;
    if (total > maxBytes) throw tooLarge(source, maxBytes);
    if (header.type === "0") await extractFile(reader, header, folder, source);
    else if (header.type === "5" || header.type === "g") await skip(reader, header.size);
    else
      throw new LoadError(
        "InvalidModel",
        `loading ${source}: ${header.path} in the archive is a link or a device; archive plain files only (tar --dereference)`,
      );
  }
}

async function extractFile(reader: BlockReader, header: Header, folder: string, source: string): Promise<void> {
  const path = join(folder, requireSafePath(header.path.replace(/^(?:\.\/)+/, ""), source));
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "wx", 0o600).catch((cause: unknown) => {
    throw damaged(source, `${header.path} occurs twice`, cause);
  });
  try {
    for (let left = header.size; left > 0;) {
      const chunk = await reader.some(left);
      if (chunk === undefined) throw damaged(source, "it ends in the middle of a file");
      await file.writeFile(chunk);
      left -= chunk.length;
    }
  } finally {
    await file.close();
  }
  await skip(reader, 0, padding(header.size));
}

async function readContent(reader: BlockReader, size: number, source: string): Promise<Buffer> {
  const content = await reader.take(size + padding(size));
  if (content === undefined) throw damaged(source, "it ends in the middle of an entry");
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
  if (sum !== stored || !Number.isSafeInteger(size)) throw damaged(source, "an entry's header is not tar's");
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

async function liftSingleFolder(folder: string): Promise<void> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
  const [only] = entries;
  if (entries.length !== 1 || !only?.isDirectory()) return;
  const inner = join(folder, only.name);
  const aside = join(folder, ".lifted");
  await rename(inner, aside); // the folder may hold an entry of its own name
  for (const name of await readdir(aside)) await rename(join(aside, name), join(folder, name));
  await rmdir(aside);
}

function damaged(source: string, why: string, cause?: unknown): LoadError {
  return new LoadError("InvalidModel", `loading ${source}: the archive is damaged: ${why}; make it anew with tar czf`, {
    cause,
  });
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
