import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

type Environment = Readonly<Record<string, string | undefined>>;

const END = "the-command-has-ended";

/** A shell that one types into: variables, the folder and an activated Python environment stay from command to command. */
export class Terminal {
  private readonly shell: ChildProcess;
  private readonly closed: Promise<unknown>;
  private output = "";
  private onOutput = (): void => undefined;

  constructor(folder: string, env: Environment) {
    this.shell = spawn("bash", ["--noprofile", "--norc"], { cwd: folder, env, stdio: "pipe" });
    this.closed = once(this.shell, "close");
    for (const stream of [this.shell.stdout, this.shell.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.onOutput();
      });
    }
  }

  /** What the command printed, and how it ended. */
  async run(command: string): Promise<{ output: string; code: number }> {
    this.output = "";
    const ended = new RegExp(`\\n${END} (\\d+)\\n`);
    const done = new Promise<void>((resolve) => {
      this.onOutput = () => ended.test(this.output) && resolve();
    });
    // Nothing that it runs may read the commands that follow.
    this.shell.stdin?.write(`{ ${command}\n} 2>&1 </dev/null\nprintf '\\n${END} %s\\n' "$?"\n`);
    await Promise.race([done, this.closed]);
    const code = Number(ended.exec(this.output)?.[1] ?? Number.NaN);
    return { output: this.output.replace(ended, ""), code };
  }

  async close(): Promise<void> {
    this.shell.stdin?.end();
    await this.closed;
  }
}

/** A command that goes on until Ctrl-C, in a terminal of its own. */
export class LastingCommand {
  output = "";
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private onOutput = (): void => undefined;

  constructor(command: string, folder: string, env: Environment) {
    // As in a terminal, Ctrl-C reaches all processes of the command.
    this.child = spawn("bash", ["-c", command], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.closed = once(this.child, "close");
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.onOutput();
      });
    }
  }

  /** Resolves when its output is as `isDone` wants it. @throws when it ends before */
  async until(isDone: (output: string) => boolean): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.onOutput = () => isDone(this.output) && resolve();
      this.onOutput();
    });
    await Promise.race([done, this.closed]);
    if (!isDone(this.output)) throw new Error(`it ended with\n${this.output}`);
  }

  async interrupt(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined)
      process.kill(-this.child.pid, signal);
    await this.closed;
  }
}
