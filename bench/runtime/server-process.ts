import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** The servers' core, and ours. */
const SERVER_CORE = "0";
const LOAD_CORE = "1";

/** As in the image, whose compiled code is part of it. */
const compiled = join(tmpdir(), "slipway-bench-compiled");

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Puts this process, which makes the load, on a core of its own. */
export const pinLoad = (): Promise<unknown> => run("taskset", ["-cp", LOAD_CORE, String(process.pid)]);

/** A server on the servers' core. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Resolves when the server's output says that it is ready; its port is the first number after "listening" or "port". */
  static async start(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    ready: RegExp,
  ): Promise<ServerProcess> {
    const child = spawn("taskset", ["-c", SERVER_CORE, ...command], {
      cwd: root,
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let port = Number.NaN;
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /(?:listening |"port":)(\d+)/.exec(line)?.[1];
      if (found !== undefined) port = Number(found);
      if (ready.test(line)) {
        child.stdout.resume();
        return new ServerProcess(child, port);
      }
    }
    throw new Error(`${command.join(" ")} ended before it was ready`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM"); // a clean end writes the compile cache
    await exited;
  }
}

/** Our runtime with this model. */
export const startRuntime = (model: string, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> =>
  ServerProcess.start(
    [process.execPath, "runtime/main.ts"],
    { MODEL_URI: model, PORT: "0", HOST: "127.0.0.1", DRAIN_SECONDS: "0", NODE_COMPILE_CACHE: compiled, ...env },
    /"msg":"ready"/,
  );

/** A server of bench/runtime/servers. */
export const startServer = (name: string, ...args: string[]): Promise<ServerProcess> =>
  ServerProcess.start([process.execPath, `bench/runtime/servers/${name}.ts`, ...args], {}, /^listening/);

/** Runs a second of the model alone, on the servers' core. */
export async function rawRuns(model: string, seconds: number): Promise<number> {
  const script = join(root, "bench/runtime/servers/raw-run.ts");
  const { stdout } = await run("taskset", ["-c", SERVER_CORE, process.execPath, script, model, String(seconds)], {
    cwd: root,
  });
  return Number(/^runs (\S+)/m.exec(stdout)?.[1]);
}

/** Milliseconds from the start of a process on the servers' core to its end. */
export async function lifetime(...args: string[]): Promise<number> {
  const began = performance.now();
  await run("taskset", ["-c", SERVER_CORE, process.execPath, ...args], { cwd: root });
  return performance.now() - began;
}
