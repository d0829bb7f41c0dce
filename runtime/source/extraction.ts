import { mkdir, open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { LoadError } from "../load-error.ts";
import { tooLarge } from "./file-tree.ts";
import { requireSafePath } from "./safe-path.ts";

export interface UnpackOptions {
  /** For messages. */
  readonly source: string;
  /** Most bytes of the unpacked files together. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** The archive is a layer of an image: it adds to what is there, and only its entries of this folder count. */
  readonly layerOf?: string;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

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

  /**
   * Takes note of an entry of any kind; false when it is none of the model's. Throws a LoadError (ArtifactTooLarge) before
   * anything of it is written.
   */
  admit(name: string, size: number): boolean {
    const { source, maxBytes } = this.#options;
    if (this.#pathOf(name) === undefined) return false;
    this.#entries += 1;
    this.#bytes += size;
    if (this.#bytes > maxBytes) throw tooLarge(source, maxBytes);
    if (this.#entries > MAX_ENTRIES)
      throw new LoadError("ArtifactTooLarge", `loading ${source}: the archive has more than ${MAX_ENTRIES} entries`);
    return true;
  }

  /**
   * A new file for the entry of this name; undefined for a mark that deletes what an earlier layer had. Throws a LoadError
   * when it would be outside of the folder, or exists.
   */
  async create(name: string): Promise<FileHandle | undefined> {
    const { source, layerOf } = this.#options;
    const relative = requireSafePath(this.#pathOf(name) ?? name, source);
    const path = join(this.#folder, relative);
    if (layerOf !== undefined && basename(path).startsWith(WHITEOUT)) {
      await this.#erase(path);
      return undefined;
    }
    try {
      await mkdir(dirname(path), { recursive: true });
      return await open(path, layerOf === undefined ? "wx" : "w", 0o600);
    } catch (cause) {
      if (!["EEXIST", "ENOTDIR", "EISDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) throw cause;
      throw damagedArchive(source, `${name} occurs twice`, cause);
    }
  }

  async #erase(mark: string): Promise<void> {
    const folder = dirname(mark);
    const name = basename(mark);
    if (name === OPAQUE) return rm(folder, { recursive: true, force: true });
    const hidden = name.slice(WHITEOUT.length);
    if (hidden !== "" && hidden !== "." && hidden !== "..")
      await rm(join(folder, hidden), { recursive: true, force: true });
  }

  #pathOf(name: string): string | undefined {
    const { layerOf = "" } = this.#options;
    const path = name.replace(/^(?:\.\/)+/, "");
    if (layerOf === "") return path;
    const absolute = path.replace(/^\/+/, "");
    return absolute.startsWith(layerOf) && absolute !== layerOf ? absolute.slice(layerOf.length) : undefined;
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
