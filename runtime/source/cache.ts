import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { LoadError } from "../load-error.ts";
import { listFiles } from "./file-tree.ts";

export interface CachedArtifact {
  readonly folder: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Names the machine too: pods that share a volume all call themselves process 1. */
const STAGING = `download-${hostname()}-`;

/** Whether this is the staging folder of a process that is no more. Ours cannot have one yet: it loads only once. */
function isAbandoned(name: string): boolean {
  const pid = name.startsWith(STAGING) ? Number(/^(\d+)-\w+$/.exec(name.slice(STAGING.length))?.[1]) : Number.NaN;
  return Number.isInteger(pid) && (pid === process.pid || !isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/**
 * Downloaded artifacts by digest, so that a restarted container does not download again.
 * An artifact appears whole or not at all: it is staged beside its place and renamed.
 */
export class ArtifactCache {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async find(sha256: string): Promise<CachedArtifact | undefined> {
    const folder = this.#place(sha256);
    const files = await listFiles(folder, folder, Number.POSITIVE_INFINITY).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    return files && { folder, sha256, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** An empty folder to download into; only this user may read it. Those that killed processes left behind are removed. */
  async stage(): Promise<string> {
    try {
      await mkdir(join(this.#root, "sha256"), { recursive: true, mode: 0o700 });
      for (const name of await readdir(this.#root)) if (isAbandoned(name)) await this.discard(join(this.#root, name));
      return await mkdtemp(join(this.#root, `${STAGING}${process.pid}-`));
    } catch (cause) {
      throw new LoadError(
        "InvalidConfiguration",
        `MODEL_CACHE_DIR ${this.#root} cannot be written: ${(cause as Error).message}; mount a writable volume there`,
        { cause },
      );
    }
  }

  async keep(staging: string, sha256: string): Promise<CachedArtifact> {
    const folder = this.#place(sha256);
    await rename(staging, folder).catch((error: NodeJS.ErrnoException) => {
      // Another process downloaded the same bytes in the meantime.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    const files = await listFiles(folder, folder, Number.POSITIVE_INFINITY);
    return { folder, sha256, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  async discard(staging: string): Promise<void> {
    await rm(staging, { recursive: true, force: true });
  }

  #place(sha256: string): string {
    return join(this.#root, "sha256", sha256);
  }
}
