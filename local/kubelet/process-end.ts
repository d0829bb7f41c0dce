import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerLog } from "./container-log.ts";

/** The exit code that container runtimes give a program which could not be started. */
export const START_ERROR = 128;
/** A program that flushes its last words gets this long after its end; a grandchild may hold its output open for ever. */
const OUTPUT_GRACE_MS = 500;

interface End {
  exitCode: number;
  signal?: number;
  message: string;
}

/** Resolves when the process has ended and its output is in the log. A shell's convention: 128 + the signal's number. */
export async function endOf(child: ChildProcess, log: ContainerLog): Promise<End> {
  const outputs = [child.stdout, child.stderr].filter((output) => output !== null);
  const copied = Promise.all(outputs.map((output) => log.copyFrom(output)));
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    await Promise.race([copied, sleep(OUTPUT_GRACE_MS, undefined, { ref: false })]);
    if (signal === null) return { exitCode: code ?? 0, message: "" };
    const number = constants.signals[signal];
    return { exitCode: 128 + number, signal: number, message: "" };
  } catch (error) {
    return { exitCode: START_ERROR, message: (error as Error).message };
  }
}
