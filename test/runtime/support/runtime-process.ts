import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

interface LogLine {
  readonly msg: string;
  readonly port?: number;
  readonly pid?: number;
  readonly process?: string;
  readonly [key: string]: unknown;
}

/** The image's own: where programs are, and Node's compiled code. */
export function imageEnvironment(): { PATH: string; NODE_COMPILE_CACHE?: string } {
  const { PATH = "", NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

/** `node runtime/main.ts` as a container would run it: nothing of our environment but what is given. */
export class RuntimeProcess {
  readonly #child: ChildProcess;
  readonly #log: LogLine[] = [];
  readonly #exited: Promise<number | string>;
  #changed: () => void = () => undefined;

  constructor(environment: Readonly<Record<string, string>>, args: readonly string[] = []) {
    const env = {
      ...imageEnvironment(),
      PORT: "0",
      HOST: "127.0.0.1",
      DRAIN_SECONDS: "0",
      PROCESSES: "1",
      ...environment,
    };
    this.#child = spawn(process.execPath, ["runtime/main.ts", ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("stdout is not piped");
    createInterface({ input: stdout }).on("line", (line) => {
      this.#log.push(line.startsWith("{") ? (JSON.parse(line) as LogLine) : { msg: line });
      this.#changed();
    });
    this.#exited = once(this.#child, "close").then(([code, signal]) => {
      this.#changed();
      return (code as number | null) ?? (signal as string);
    });
  }

  /** All that was logged, as text. */
  get log(): string {
    return this.#log.map((line) => JSON.stringify(line)).join("\n");
  }

  /** The exit code, or the signal that killed it. */
  get exited(): Promise<number | string> {
    return this.#exited;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the runtime did not start");
    return this.#child.pid;
  }

  /** The log's lines of this message so far. */
  lines(message: string): LogLine[] {
    return this.#log.filter(({ msg }) => msg === message);
  }

  /** Resolves with the log's first line of this message, or the one of this number; rejects when the process ends without it. */
  async logged(message: string, number = 1): Promise<LogLine> {
    for (;;) {
      const line = this.lines(message)[number - 1];
      if (line) return line;
      if (this.#child.exitCode !== null) throw new Error(`the runtime ended without "${message}":\n${this.log}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  async url(path: string): Promise<string> {
    const { port } = await this.logged("listening");
    return `http://127.0.0.1:${port}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
