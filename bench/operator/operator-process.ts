import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const SYNC_MS = 300_000;
/** Of Linux everywhere. */
const TICKS_PER_SECOND = 100;

/** As Dockerfile.operator has it. */
const PROGRAM = ["--max-semi-space-size=8", "--heap-growing-percent=30", join(root, "dist/operator/main.js")];
const MALLOC = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

interface Ports {
  readonly healthPort: number;
  readonly metricsPort: number;
}

/** Requests to the API server by method; a watch counts once. */
export type Requests = ReadonlyMap<string, number>;

/** Writes the JavaScript that the image has into dist/operator. */
export function bundleOperator(): void {
  execFileSync(process.execPath, [join(root, "scripts/bundle-operator.ts")], { stdio: "inherit" });
}

/** The operator, as it runs in a cluster: a process of its own, with the image's JavaScript. */
export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #ports: Ports;

  private constructor(child: ChildProcess, ports: Ports) {
    this.#child = child;
    this.#ports = ports;
  }

  /** Resolves when its caches are full. */
  static async start(kubeconfig: string, namespace: string, more: readonly string[]): Promise<OperatorProcess> {
    const flags = ["--watch-namespaces", namespace, "--bind-address", "127.0.0.1", "--health-port", "0"];
    const child = spawn(process.execPath, [...PROGRAM, ...flags, "--metrics-port", "0", ...more], {
      env: { PATH: process.env["PATH"] ?? "", KUBECONFIG: kubeconfig, ...MALLOC },
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.once("exit", () => child.kill("SIGKILL"));
    const ports = await synced(child);
    return new OperatorProcess(child, ports);
  }

  /** Of the processor, since its start. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND; // utime and stime of proc_pid_stat(5)
  }

  /** The most memory that it ever had, in MiB. */
  peakMebibytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  /** Reconciles that ended, with whatever outcome. */
  async passes(): Promise<number> {
    const counts = (await this.#metrics()).matchAll(/^controller_runtime_reconcile_total\{[^}]*\} (\d+)/gm);
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async requests(): Promise<Requests> {
    const counts = new Map<string, number>();
    for (const [, method = "", count] of (await this.#metrics()).matchAll(
      /^rest_client_requests_total\{[^}]*method="(\w+)"[^}]*\} (\d+)/gm,
    ))
      counts.set(method, (counts.get(method) ?? 0) + Number(count));
    return counts;
  }

  async #metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#ports.metricsPort}/metrics`);
    return response.text();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }
}

async function synced(child: ChildProcess): Promise<Ports> {
  let ports: Ports | undefined;
  let text = "";
  child.stdout?.setEncoding("utf8");
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the operator ended with code ${code} before its caches were full: ${text.slice(-2000)}`);
  });
  const isSynced = new Promise<Ports>((resolve) => {
    child.stdout?.on("data", (chunk: string) => {
      text = (text + chunk).slice(-20_000);
      const [, started] = /(\{.*"operator started".*\})/.exec(text) ?? [];
      if (started !== undefined) ports ??= JSON.parse(started) as Ports;
      if (ports !== undefined && text.includes("caches synced")) resolve(ports);
    });
  });
  const late = AbortSignal.timeout(SYNC_MS);
  const expired = once(late, "abort").then(() => {
    throw new Error(`the operator's caches were not full after ${SYNC_MS / 1000} s: ${text.slice(-2000)}`);
  });
  return Promise.race([isSynced, ended, expired]);
}

export const total = (requests: Requests): number => [...requests.values()].reduce((sum, count) => sum + count, 0);

/** What came in between, by method. */
export function since(before: Requests, after: Requests): Requests {
  return new Map([...after].map(([method, count]) => [method, count - (before.get(method) ?? 0)]));
}

export const writes = (requests: Requests): number => total(requests) - (requests.get("GET") ?? 0);
