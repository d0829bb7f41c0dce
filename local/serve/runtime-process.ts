import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UserError } from "../user-error.ts";

const SCRIPT = fileURLToPath(new URL("../../runtime/main.ts", import.meta.url));
/** The runtime itself gives requests under way 20 s. */
const STOP_MS = 25_000;

interface Options {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Put before the program, to tie it to this process. */
  readonly launcher: readonly string[];
  /** Where it leaves why it could not serve. */
  readonly terminationMessage: string;
  /** Each line that it writes. */
  readonly onLine: (line: string) => void;
}

/** The runtime as a process of its own, as in a pod. */
export class RuntimeProcess {
  /** Its port once the model serves. Rejects with a {@link UserError} when that does not come about. */
  readonly ready: Promise<number>;
  /** Resolves with why, when it ends. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private readonly options: Options;
  private port = 0;

  private constructor(child: ChildProcess, options: Options) {
    this.child = child;
    this.options = options;
    this.ended = this.end();
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ready = Promise.race([promise, this.ended.then(refuse)]);
    this.ready.catch(() => undefined); // whoever awaits it hears of it
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) this.read(stream, resolve);
    }
  }

  static start(options: Options): RuntimeProcess {
    const { launcher, environment, terminationMessage } = options;
    const [program, ...args] = [...launcher, process.execPath, SCRIPT];
    const child = spawn(program ?? process.execPath, args, {
      env: { ...environment, LOG_LEVEL: "info", TERMINATION_MESSAGE_PATH: terminationMessage },
      detached: true, // Ctrl-C in the terminal is for us; we stop it in order
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new RuntimeProcess(child, options);
  }

  /** Resolves when it has answered what is under way and is gone. */
  async stop(): Promise<void> {
    const { child } = this;
    child.kill("SIGTERM");
    const patience = new AbortController();
    const late = sleep(STOP_MS, "late", { signal: patience.signal }).catch(() => undefined);
    if ((await Promise.race([this.ended, late])) === "late") child.kill("SIGKILL");
    patience.abort();
    await this.ended;
  }

  private read(stream: Readable, onReady: (port: number) => void): void {
    createInterface({ input: stream }).on("line", (line) => {
      const entry = logEntry(line);
      if (entry?.msg === "listening") this.port = entry.port ?? 0;
      if (entry?.msg === "ready") onReady(this.port);
      this.options.onLine(line);
    });
  }

  private async end(): Promise<string> {
    try {
      const [code, signal] = (await once(this.child, "close")) as [number | null, string | null];
      return (await this.lastWords()) ?? `the runtime ended: ${signal ?? `exit ${code}`}`;
    } catch (error) {
      return `the runtime could not be started: ${(error as Error).message}`;
    }
  }

  /** Its termination message; undefined when it left none, which ends of other kinds do. */
  private async lastWords(): Promise<string | undefined> {
    const text = await readFile(this.options.terminationMessage, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const { reason, message } = JSON.parse(text) as { reason: string; message: string };
    return `${reason}: ${message}`;
  }
}

interface LogEntry {
  readonly level: string;
  readonly msg: string;
  readonly port?: number;
}

/** Undefined for lines that are none of the runtime's log. */
export function logEntry(line: string): LogEntry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<LogEntry>;
    return typeof entry.level === "string" && typeof entry.msg === "string" ? (entry as LogEntry) : undefined;
  } catch {
    return undefined; // a prediction, or what some library writes
  }
}

function refuse(why: string): never {
  throw new UserError(why);
}
