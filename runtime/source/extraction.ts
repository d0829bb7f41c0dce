import { mkdir, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";

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

const MAX_ENTRIES = 10_000;

/** Places an archive's files in a folder, none of them outside of it, and bounds how many and how large they are. */
export class Extraction {
  readonly #folder: string;
  readonly #options: UnpackOptions;
  #entries = 0;
  #bytes = 0;

  constructor(folder: string, options: UnpackOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Takes note of an entry of any kind. Throws a LoadError (ArtifactTooLarge) before anything of it is written. */
  admit(size: number): void {
    const { source, maxBytes } = this.#options;
    this.#entries += 1;
    this.#bytes += size;
    if (this.#bytes > maxBytes) throw tooLarge(source, maxBytes);
    if (this.#entries > MAX_ENTRIES)
      throw new LoadError("ArtifactTooLarge", `loading ${source}: the archive has more than ${MAX_ENTRIES} entries`);
  }

  /** A new file for the entry of this name. Throws a LoadError when it would be outside of the folder, or exists. */
  async create(name: string): Promise<FileHandle> {
    const { source } = this.#options;
    const path = join(this.#folder, requireSafePath(name.replace(/^(?:\.\/)+/, ""), source));
    try {
      await mkdir(dirname(path), { recursive: true });
      return await open(path, "wx", 0o600);
    } catch (cause) {
      if (!["EEXIST", "ENOTDIR", "EISDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
      throw damagedArchive(source, `${name} occurs twice`, cause);
    }
  }
}

export function damagedArchive(source: string, why: string, cause?: unknown): LoadError {
  return new LoadError("InvalidModel", `loading ${source}: the archive is damaged: ${why}; make it anew`, { cause });
}

export function noPlainFile(source: string, name: string): LoadError {
  return new LoadError(
    "InvalidModel",
    `loading ${source}: ${name} in the archive is a link or a device; archive plain files only (tar --dereference)`,
  );
}
