import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { FILE_SEPARATOR } from "./task.ts";
import type { Report, Task } from "./task.ts";

export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv;
  /** Stops the process and all that it started. */
  readonly signal: AbortSignal;
}

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  /** At least 1 when the process did not come to a good end with this file, whatever its tests said. */
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly output: string;
}

/** A test that prints without end must not fill the memory; what it printed last is what matters. */
const MOST_OUTPUT = 1_000_000;
/** The process reports its own timeout, with what it was busy with; this is for one that cannot. */
const GRACE_SECONDS = 15;

/**
 * Runs test files in one process, of their own: a crash, a leak or a hang is that of the file at which it happens. The
 * files after that one get another process.
 */
export async function runFiles(task: Task, surroundings: Surroundings): Promise<FileResult[]> {
  const results: FileResult[] = [];
  while (results.length < task.files.length && !surroundings.signal.aborted)
    results.push(...(await runProcess({ ...task, files: task.files.slice(results.length) }, surroundings)));
  return results;
}

/** @returns a result of each file that began: all, or those up to one that ended the process */
async function runProcess(task: Task, { environment, signal }: Surroundings): Promise<FileResult[]> {
  const child = fork(join(import.meta.dirname, "mocha-process.ts"), [JSON.stringify(task)], {
    env: environment,
    silent: true,
    detached: true, // a process group of its own, to end with all that it started
  });
  const stop = (): void => killGroup(child);
  const unresponsive = setTimeout(stop, (task.timeoutSeconds + GRACE_SECONDS) * 1_000);
  signal.addEventListener("abort", stop, { once: true });
  const runs = task.files.map((file) => new FileRun(file));
  let closed = 0;
  runs[closed]?.begin();
  child.on("message", (report: Report) => {
    if (report !== "closed") return runs[closed]?.count(report);
    runs[closed]?.close();
    closed += 1;
    runs[closed]?.begin();
    unresponsive.refresh();
  });
  collectOutput(child, runs);
  const [code, killedBy] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(unresponsive);
  signal.removeEventListener("abort", stop);
  killGroup(child);

  const begun = runs.slice(0, closed + 1);
  const last = begun.at(-1);
  if (closed < runs.length || (code !== 0 && last?.result.failed === 0))
    last?.fail(`its process ended with ${killedBy ?? `exit code ${code}`}`);
  if (task.grep === undefined) for (const run of begun) if (run.isEmpty) run.fail("holds no test");
  return begun.map(({ result }) => result);
}

/** What becomes known of one file. */
class FileRun {
  private readonly counts = { passed: 0, failed: 0, skipped: 0 };
  private readonly chunks: string[] = [];
  private length = 0;
  private begun = Number.NaN;
  private seconds = 0;
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  get isEmpty(): boolean {
    const { passed, failed, skipped } = this.counts;
    return passed + failed + skipped === 0;
  }

  get result(): FileResult {
    return { file: this.file, ...this.counts, seconds: this.seconds, output: this.chunks.join("") };
  }

  begin(): void {
    this.begun = performance.now();
  }

  count(result: "passed" | "failed" | "skipped"): void {
    this.counts[result] += 1;
  }

  print(text: string): void {
    this.chunks.push(text);
    this.length += text.length;
    while (this.length > MOST_OUTPUT && this.chunks.length > 1) this.length -= this.chunks.shift()?.length ?? 0;
  }

  close(): void {
    this.seconds = (performance.now() - this.begun) / 1_000;
  }

  fail(reason: string): void {
    this.counts.failed += 1;
    this.print(`\n${this.file}: ${reason}\n`);
    this.close();
  }
}

function collectOutput(child: ChildProcess, runs: readonly FileRun[]): void {
  for (const stream of [child.stdout, child.stderr]) {
    let current = 0;
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      for (const [index, text] of chunk.split(FILE_SEPARATOR).entries()) {
        if (index > 0) current += 1;
        runs[current]?.print(text);
      }
    });
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: all of it has ended
  }
}
