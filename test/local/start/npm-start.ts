import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processIdentity } from "../../../local/process-identity.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

/** `npm start` as a process, without npm. */
export class NpmStart {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = "";
  private readonly changed = new Set<() => void>();

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(process.execPath, [join(PROJECT, "local/main.ts"), ...args], {
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

  /** The output as soon as it contains `text`. @throws with all of it when the process ends before */
  async says(text: string): Promise<string> {
    const found = new Promise<void>((resolve) => {
      const check = () => this.output.includes(text) && resolve();
      this.changed.add(check);
      check();
    });
    await Promise.race([found, this.exited]);
    if (!this.output.includes(text)) throw new Error(`it ended without saying "${text}":\n${this.output}`);
    return this.output;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

/** The processes that the state folder says are running. */
export function pidsOf(folder: string): number[] {
  return ["processes.json", "kubelet/processes.json"]
    .map((file) => join(folder, file))
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, "utf8")) as { pid: number; identity: string }[])
    .filter(({ pid, identity }) => processIdentity(pid) === identity)
    .map(({ pid }) => pid);
}
