import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";

import { damagedArchive, noPlainFile } from "./extraction.ts";
import type { Extraction, UnpackOptions } from "./extraction.ts";

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Where its local header is. */
  readonly start: number;
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
/** Of 10,000 entries with names of some hundred bytes. */
const MAX_DIRECTORY = 8 * 1024 ** 2;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const [UNIX, FILE_TYPE, REGULAR] = [3, 0o170000, 0o100000];

/** Reads the central directory, which alone says what a zip holds, then each file that it names. */
export async function unpackZip(archive: string, extraction: Extraction, options: UnpackOptions): Promise<void> {
  const file = await open(archive);
  try {
    const entries = await readDirectory(file, options.source);
    for (const entry of entries) extraction.admit(entry.name, entry.size);
    for (const entry of entries) {
      if (!entry.name.endsWith("/")) await extractEntry(file, entry, extraction, options);
    }
  } finally {
    await file.close();
  }
}

async function readDirectory(file: FileHandle, source: string): Promise<Entry[]> {
  const { size: length } = await file.stat();
  const tail = await read(
    file,
    Math.max(0, length - END_BYTES - MAX_COMMENT),
    Math.min(length, END_BYTES + MAX_COMMENT),
  );
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || tail.length - end < END_BYTES || tail.readUInt32LE(end) !== END_OF_DIRECTORY)
    throw damagedArchive(source, "it has no directory at its end");
  const count = tail.readUInt16LE(end + 10);
  const bytes = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (count === 0xffff || bytes === 0xffffffff || start === 0xffffffff) throw needsZip64(source);
  if (bytes > MAX_DIRECTORY || start + bytes > length) throw damagedArchive(source, "its directory's size is wrong");
  return parseDirectory(await read(file, start, bytes), count, source);
}

function parseDirectory(directory: Buffer, count: number, source: string): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; entries.length < count;) {
    if (directory.length - at < ENTRY_BYTES || directory.readUInt32LE(at) !== DIRECTORY_ENTRY)
      throw damagedArchive(source, "its directory is cut off");
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    const flags = directory.readUInt16LE(at + 8);
    if ((flags & ENCRYPTED) !== 0) throw damagedArchive(source, `${name} is encrypted`);
    const type = (directory.readUInt32LE(at + 38) >>> 16) & FILE_TYPE;
    const isLink = directory[at + 5] === UNIX && type !== 0 && type !== REGULAR && !name.endsWith("/");
    if (isLink) throw noPlainFile(source, name);
    const entry = {
      name,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      start: directory.readUInt32LE(at + 42),
    };
    if ([entry.packed, entry.size, entry.start].includes(0xffffffff)) throw needsZip64(source);
    entries.push(entry);
    at += ENTRY_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function extractEntry(
  archive: FileHandle,
  entry: Entry,
  extraction: Extraction,
  { source, signal }: UnpackOptions,
): Promise<void> {
  const header = await read(archive, entry.start, LOCAL_BYTES);
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL_HEADER)
    throw damagedArchive(source, `${entry.name} is not where the directory says`);
  const start = entry.start + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const bytes = pieces(archive, start, entry.packed);
  const target = await extraction.create(entry.name);
  if (target === undefined) return;
  const write = (chunks: AsyncIterable<Buffer>): Promise<void> => writeChecked(chunks, target, entry, source);
  try {
    if (entry.method === STORED) await write(bytes);
    else if (entry.method === DEFLATED) await pipeline(bytes, createInflateRaw(), write, { signal });
    else
      throw damagedArchive(source, `${entry.name} is compressed by method ${entry.method}; only deflate is unpacked`);
  } finally {
    await target.close();
  }
}

async function writeChecked(
  chunks: AsyncIterable<Buffer>,
  target: FileHandle,
  { name, size, crc }: Entry,
  source: string,
): Promise<void> {
  let written = 0;
  let checksum = 0;
  for await (const chunk of chunks) {
    written += chunk.length;
    if (written > size) throw damagedArchive(source, `${name} is longer than the directory says`);
    checksum = crc32(chunk, checksum);
    await target.appendFile(chunk);
  }
  if (written !== size || checksum !== crc) throw damagedArchive(source, `${name} fails its checksum`);
}

const PIECE = 256 * 1024;

async function* pieces(archive: FileHandle, start: number, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < length;) {
    const piece = await read(archive, start + at, Math.min(PIECE, length - at));
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

const needsZip64 = (source: string): Error =>
  damagedArchive(source, "it is a ZIP64 archive (over 4 GiB), which is not unpacked; use .tar.gz");
