import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { modelFiles, signatureOf } from "./model-files.ts";
import type { Snapshot, Snapshots } from "./snapshots.ts";

/** Links that lead elsewhere, network file systems and mounts tell no watcher of their changes. */
const LOOK_EVERY_MS = 2_000;
/** A writer that pauses for longer than this has made two edits. */
const QUIET_MS = 250;

/** What became of the model: other bytes, or a state in which it cannot be read. */
export type Edit = { is: "changed"; snapshot: Snapshot } | { is: "unreadable"; why: string };

interface Follow {
  /** A folder, or a graph's file. */
  readonly model: string;
  readonly snapshots: Snapshots;
  readonly signal: AbortSignal;
}

/**
 * The model as it is, then each edit of it once that is all there. Edits made while the caller deals with one are one.
 * Ends when `signal` aborts.
 */
export async function* follow({ model, snapshots, signal }: Follow): AsyncGenerator<Edit> {
  let last = "";
  let seen = "";
  const hints = new Hints(model);
  try {
    while (!signal.aborted) {
      const signature = await look(model);
      if (signature !== seen) {
        const edit = await whenQuiet(model, signature, { snapshots, signal });
        if (edit !== undefined) seen = signature;
        const now = edit?.is === "changed" ? edit.snapshot.digest : edit?.why;
        if (edit !== undefined && now !== last) yield edit;
        last = now ?? last;
        if (edit === undefined) continue;
      }
      await hints.next(signal);
    }
  } finally {
    hints.close();
  }
}

/** Undefined when it changed meanwhile. */
async function whenQuiet(
  model: string,
  signature: string,
  { snapshots, signal }: Pick<Follow, "snapshots" | "signal">,
): Promise<Edit | undefined> {
  await pause(QUIET_MS, signal);
  if (signal.aborted || (await look(model)) !== signature) return undefined;
  try {
    const snapshot = await snapshots.take(model);
    if (snapshot !== undefined) return { is: "changed", snapshot };
    return (await look(model)) === signature
      ? { is: "unreadable", why: `there is no model at ${model} (any more)` }
      : undefined;
  } catch (error) {
    return { is: "unreadable", why: (error as Error).message };
  }
}

/** How the files look from outside; of those that cannot be read, why. */
async function look(model: string): Promise<string> {
  try {
    return await signatureOf(await modelFiles(model));
  } catch (error) {
    return (error as Error).message;
  }
}

/** Wakes when something happened near the model, or after a while. */
class Hints {
  private readonly model: string;
  private watchers: FSWatcher[] = [];
  private wake = (): void => undefined;
  private hinted = false;

  constructor(model: string) {
    this.model = model;
    this.arm();
  }

  async next(signal: AbortSignal): Promise<void> {
    if (!this.hinted) {
      const timer = new AbortController();
      const hint = new Promise<void>((resolve) => (this.wake = resolve));
      await Promise.race([hint, pause(LOOK_EVERY_MS, AbortSignal.any([signal, timer.signal]))]);
      timer.abort();
    }
    if (this.hinted) this.arm(); // the folder may have been replaced by another of its name
    this.hinted = false;
  }

  close(): void {
    for (const watcher of this.watchers.splice(0)) watcher.close();
  }

  private arm(): void {
    this.close();
    const name = basename(this.model);
    this.watch(this.model, { recursive: true }, () => true);
    this.watch(dirname(this.model), {}, (file) => file === null || file.startsWith(name));
  }

  private watch(path: string, options: { recursive?: boolean }, concerns: (file: string | null) => boolean): void {
    try {
      const watcher = watch(path, options, (_event, file) => {
        if (!concerns(file)) return;
        this.hinted = true;
        this.wake();
      });
      this.watchers.push(watcher.on("error", () => watcher.close()));
    } catch {
      // gone, or no more watches to be had: looking every now and then is left
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
