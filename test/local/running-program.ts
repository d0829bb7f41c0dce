import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** A script of the project as a process, without npm, and what it tells. */
export class RunningProgram {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = "";
  private readonly changed = new Set<() => void>();

  constructor(script: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(process.execPath, [join(PROJECT, script), ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        for (const check of this.changed) check();
      });
    }
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
  }

  /** The output from `after` on, as soon as that contains `text`. @throws with all of it when the process ends before */
  async says(text: string, after = 0): Promise<string> {
    const hasSaid = () => this.output.includes(text, after);
    const found = new Promise<void>((resolve) => {
      const check = () => hasSaid() && resolve();
      this.changed.add(check);
      check();
    });
    await Promise.race([found, this.exited]);
    if (!hasSaid()) throw new Error(`it ended without saying "${text}":\n${this.output}`);
    return this.output.slice(after);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}
