import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
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

/** What was used within this time is never evicted: another process of the same volume may be opening it. */
const IN_USE_MS = 15 * 60_000;

/**
 * Downloaded artifacts by digest, so that a restarted container does not download again.
 * An artifact appears whole or not at all: it is staged beside its place and renamed.
 */
export class ArtifactCache {
  readonly #root: string;
  readonly #maxBytes: number;

  /** Beyond `maxBytes` those that were not used for the longest time are removed. */
  constructor(root: string, maxBytes: number) {
    this.#root = root;
    this.#maxBytes = maxBytes;
  }

  async find(sha256: string): Promise<CachedArtifact | undefined> {
    const folder = this.#place(sha256);
    try {
      const now = new Date();
      await utimes(folder, now, now);
      return { folder, sha256, bytes: await bytesOf(folder) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
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
    const now = new Date();
    await utimes(folder, now, now);
    await this.#evict();
    return { folder, sha256, bytes: await bytesOf(folder) };
  }

  async discard(staging: string): Promise<void> {
    await rm(staging, { recursive: true, force: true });
  }

  /** Renames first, so that nobody finds half of an artifact. */
  async #evict(): Promise<void> {
    const place = join(this.#root, "sha256");
    const artifacts = await Promise.all(
      (await readdir(place)).map(async (name) => {
        const folder = join(place, name);
        return { folder, bytes: await bytesOf(folder), usedAt: (await stat(folder)).mtimeMs };
      }),
    );
    let total = artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { folder, bytes, usedAt } of artifacts.toSorted((a, b) => a.usedAt - b.usedAt)) {
      if (total <= this.#maxBytes || Date.now() - usedAt < IN_USE_MS) return;
      const aside = await mkdtemp(join(this.#root, `${STAGING}${process.pid}-`));
      await rename(folder, aside);
      await this.discard(aside);
      total -= bytes;
    }
  }

  #place(sha256: string): string {
    return join(this.#root, "sha256", sha256);
  }
}

async function bytesOf(folder: string): Promise<number> {
  const files = await listFiles(folder, folder, Number.POSITIVE_INFINITY);
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
