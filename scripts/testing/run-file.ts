import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Report, Task } from "./mocha-process.ts";

export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv;
  /** Stops the file's process and all that it started. */
  readonly signal: AbortSignal;
}

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  /** At least 1 when the process did not come to a good end, whatever its tests said. */
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly output: string;
}

/** A test that prints without end must not fill the memory; what it printed last is what matters. */
const MOST_OUTPUT = 1_000_000;
/** The process reports its own timeout, with what it was busy with; this is for one that cannot. */
const GRACE_SECONDS = 15;

/** Runs one test file in a process of its own, so that a crash, a leak or a hang is that file's and nobody else's. */
export async function runFile(task: Task, { environment, signal }: Surroundings): Promise<FileResult> {
  const started = performance.now();
  const { file, timeoutSeconds, grep } = task;
  const child = fork(join(import.meta.dirname, "mocha-process.ts"), [JSON.stringify(task)], {
    env: environment,
    silent: true,
    detached: true, // a process group of its own, to end with all that it started
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let finished = false;
  child.on("message", (report: Report) => {
    if (report === "finished") finished = true;
    else counts[report] += 1;
  });
  const output = collectOutput(child);
  const stop = (): void => killGroup(child);
  signal.addEventListener("abort", stop, { once: true });
  const unresponsive = setTimeout(stop, (timeoutSeconds + GRACE_SECONDS) * 1_000);
  const [code, killedBy] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(unresponsive);
  signal.removeEventListener("abort", stop);
  killGroup(child);

  const crashed = !finished || (code !== 0 && counts.failed === 0);
  if (crashed) {
    counts.failed += 1;
    output.push(`\n${file}: its process ended with ${killedBy ?? `exit code ${code}`}\n`);
  } else if (grep === undefined && counts.passed + counts.failed + counts.skipped === 0) {
    counts.failed += 1;
    output.push(`\n${file}: holds no test\n`);
  }
  const seconds = (performance.now() - started) / 1_000;
  return { file, ...counts, seconds, output: output.join("") };
}

function collectOutput(child: ChildProcess): string[] {
  const chunks: string[] = [];
  let length = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      chunks.push(chunk);
      length += chunk.length;
      while (length > MOST_OUTPUT && chunks.length > 1) length -= chunks.shift()?.length ?? 0;
    });
  }
  return chunks;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: all of it has ended
  }
}
