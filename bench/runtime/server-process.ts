import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** The servers' core, and ours. */
const SERVER_CORE = "0";
const LOAD_CORE = "1";
const READY_MS = 120_000;
const STOP_MS = 15_000;
const POLL_MS = 5;
/** A start is measured by what the server says. */
const LISTEN_MS = 1;
const OUTPUT_CHARACTERS = 4000;
/** Of Linux everywhere. */
const TICKS_PER_SECOND = 100;

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Puts this process, which makes the load, on a core of its own. */
export const pinLoad = (): Promise<unknown> => run("taskset", ["-cp", LOAD_CORE, String(process.pid)]);

/** Each server leads a group of processes, so that those that it starts end with it. */
const leaders = new Set<number>();
process.on("exit", () => {
  for (const leader of leaders) signal(-leader, "SIGKILL");
});

export interface Launch {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** From the project's folder. */
  readonly folder?: string;
  /** Where it was told to listen, or where its output says that it does. */
  readonly port: number | RegExp;
  /** What its output says when it is ready, or the path that then answers 200. */
  readonly ready: RegExp | string;
}

interface Member {
  readonly pid: number;
  /** The fields of proc_pid_stat(5) from the third, the state, on. */
  readonly stat: readonly string[];
}

/** A server on the servers' core. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #port: number | RegExp;
  #output = "";

  private constructor(child: ChildProcess, port: number | RegExp) {
    this.#child = child;
    this.#port = port;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS);
      });
    }
  }

  /** Resolves when the server is ready. Rejects with the end of its output when it never is. */
  static async start({ command, env, folder = ".", port, ready }: Launch): Promise<ServerProcess> {
    const { PATH = "", HOME = "" } = process.env;
    const child = spawn("taskset", ["-c", SERVER_CORE, ...command], {
      cwd: join(root, folder),
      env: { PATH, HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (child.pid !== undefined) leaders.add(child.pid);
    const server = new ServerProcess(child, port);
    try {
      await server.#until(ready);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      const said = server.#output.slice(-1000);
      throw new Error(`${command.join(" ")} ${(error as Error).message}: ${said}`, { cause: error });
    }
    return server;
  }

  get port(): number {
    return typeof this.#port === "number" ? this.#port : Number(this.said(this.#port));
  }

  /** What the latest output says in the first group of `pattern`. */
  said(pattern: RegExp): string | undefined {
    return pattern.exec(this.#output)?.[1];
  }

  /** Bytes of memory of the server and all that it started; what they share counts once. */
  memory(): number {
    return this.#members().reduce((bytes, { pid }) => bytes + proportionalBytes(String(pid)), 0);
  }

  /** What the server and all that it started have used of the processor, in seconds. */
  cpuSeconds(): number {
    return (
      this.#members().reduce((ticks, { stat }) => ticks + Number(stat[11]) + Number(stat[12]), 0) / TICKS_PER_SECOND
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (!hasExited(this.#child)) {
      const members = this.#members();
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGTERM"); // a clean end writes the compile cache
      const patience = new AbortController();
      const late = delay(STOP_MS, "late", { signal: patience.signal }).catch(() => undefined);
      if ((await Promise.race([exited, late])) === "late") for (const member of members) signal(member.pid, "SIGKILL");
      patience.abort();
    }
    signal(-pid, "SIGKILL");
    leaders.delete(pid);
  }

  /** The server's process and all that came of it; some of them lead groups of their own. */
  #members(): readonly Member[] {
    const all = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => ({ pid: Number(pid), stat: statOf(pid) }));
    const within = (pids: readonly (number | undefined)[]): Member[] => {
      const found = all.filter(({ stat }) => pids.includes(Number(stat[1])));
      return found.length === 0 ? [] : [...found, ...within(found.map(({ pid }) => pid))];
    };
    return [...all.filter(({ pid }) => pid === this.#child.pid), ...within([this.#child.pid])];
  }

  async #until(ready: RegExp | string): Promise<void> {
    const deadline = AbortSignal.timeout(READY_MS);
    const [isReady, pause] =
      typeof ready === "string"
        ? [() => answers(this.port, ready), POLL_MS]
        : [() => ready.test(this.#output), LISTEN_MS];
    while (!(await isReady())) {
      if (hasExited(this.#child)) throw new Error("ended before it was ready");
      if (deadline.aborted) throw new Error(`was not ready after ${READY_MS / 1000} s`);
      await delay(pause);
    }
  }
}

/** What a program prints that ends by itself, on the servers' core. */
export async function outputOf(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const options = { cwd: root, env: { ...process.env, ...env } };
  const { stdout } = await run("taskset", ["-c", SERVER_CORE, ...command], options);
  return stdout;
}

const hasExited = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

async function answers(port: number, path: string): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined); // nobody listens yet
  await response?.arrayBuffer();
  return response?.ok ?? false;
}

/** To a process, or to the group of -`pid`. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const statOf = (pid: string): string[] => readProcess(pid, "stat").split(") ").at(-1)?.split(" ") ?? [];

function proportionalBytes(pid: string): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readProcess(pid, "smaps_rollup"))?.[1] ?? 0) * 1024;
}

/** Empty when the process has just ended. */
function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return "";
    throw error;
  }
}
