import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Logger } from "pino";
import { processIdentity } from "../process-identity.ts";

interface Entry {
  pid: number;
  identity: string;
  what: string;
}

/**
 * The processes that this kubelet has started, in a file, so that the next run can end those that a killed one left.
 * Written synchronously: a kill -9 must find no process that the file does not know.
 */
export class ProcessLedger {
  private readonly file: string;
  private readonly entries = new Map<number, Entry>();

  constructor(file: string) {
    this.file = file;
  }

  add(pid: number, what: string): void {
    const identity = processIdentity(pid);
    if (identity === undefined) return; // it has ended already
    this.entries.set(pid, { pid, identity, what });
    this.write();
  }

  remove(pid: number): void {
    if (this.entries.delete(pid)) this.write();
  }

  /** Kills, with their process groups, the processes that a former run left behind; never any other. */
  killLeftovers(logger: Logger): void {
    for (const { pid, identity, what } of readEntries(this.file)) {
      if (processIdentity(pid) !== identity) continue;
      logger.info({ pid, what }, "killing a process that a former kubelet left behind");
      killGroup(pid, "SIGKILL");
    }
    this.write();
  }

  /** Kills, with their process groups, the processes of this run. */
  killAll(): void {
    for (const { pid } of this.entries.values()) killGroup(pid, "SIGKILL");
  }

  private write(): void {
    const temporary = `${this.file}.tmp`;
    writeFileSync(temporary, JSON.stringify([...this.entries.values()]));
    renameSync(temporary, this.file);
  }
}

/** Signals a container's whole process group. A group that has gone is what was wanted. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function readEntries(file: string): Entry[] {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Entry[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new Error(`reading ${file}, which names the processes of a former run: end them yourself, then delete it`, {
      cause: error,
    });
  }
}
