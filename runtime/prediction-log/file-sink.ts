import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

import type { Sink, Written } from "./sink.ts";

/** The size up to which every receiver of CloudEvents takes one; more is no line. */
const MAX_LINE_BYTES = 65_536;
/** What the lines tell of people is nobody else's business. */
const MODE = 0o600;

export interface FileSinkOptions {
  /** A file beyond this size is put aside. */
  readonly maxBytes: number;
  /** How many files there are at most: PATH, PATH.1 (the last one put aside), PATH.2, … */
  readonly maxFiles: number;
}

/**
 * Lines at the end of a file. One process writes to it: several get a path each. Rejects with the system's error when
 * it cannot be opened.
 */
export async function fileSink(path: string, options: FileSinkOptions): Promise<Sink> {
  const file = await RotatedFile.open(path, options);
  return {
    maxLineBytes: MAX_LINE_BYTES,
    async write(lines): Promise<Written> {
      try {
        await file.append(Buffer.from(lines.map(({ json }) => `${json}\n`).join("")));
        return { written: lines.length };
      } catch (error) {
        return { written: 0, error: error as Error };
      }
    },
    close: () => file.close(),
  };
}

class RotatedFile {
  readonly #path: string;
  readonly #options: FileSinkOptions;
  #handle: FileHandle | undefined;
  #size = 0;

  private constructor(path: string, options: FileSinkOptions) {
    this.#path = path;
    this.#options = options;
  }

  static async open(path: string, options: FileSinkOptions): Promise<RotatedFile> {
    const file = new RotatedFile(path, options);
    await file.#open();
    return file;
  }

  async append(bytes: Buffer): Promise<void> {
    const isFull = this.#size > 0 && this.#size + bytes.length > this.#options.maxBytes;
    if (isFull) await this.#putAside();
    const handle = this.#handle ?? (await this.#open());
    let written = 0;
    try {
      while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten;
      this.#size += written;
    } catch (error) {
      if (written > 0) await handle.truncate(this.#size); // no half line before the next one
      throw error;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    this.#handle = await open(this.#path, "a", MODE);
    this.#size = (await this.#handle.stat()).size;
    return this.#handle;
  }

  async #putAside(): Promise<void> {
    await this.close();
    const { maxFiles } = this.#options;
    if (maxFiles === 1) await rm(this.#path, { force: true });
    for (let number = maxFiles - 1; number > 0; number -= 1) {
      const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      await rename(from, `${this.#path}.${number}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
  }
}
