import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

interface OperatorOptions {
  readonly kubeconfig: string;
  /** Watches this namespace only. */
  readonly namespace: string;
  /** Further flags of the operator. */
  readonly flags?: readonly string[];
}

/** Keeps what the operator said last, for the message of a test that fails. */
const MOST_LINES = 200;

/** The operator as a process of its own, which can be killed, frozen and thawed. */
export class OperatorProcess implements AsyncDisposable {
  readonly output: string[] = [];
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #started = Promise.withResolvers<{ metricsPort: number; healthPort: number }>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = once(child, "close").then(([code, signal]) => String(signal ?? code));
    this.#started.promise.catch(() => {}); // only who waits for it needs to know
    void this.ended.then((how) =>
      this.#started.reject(new Error(`the operator ended (${how}) before it started:\n${this.output.join("\n")}`)),
    );
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#said(line));
  }

  static start({ kubeconfig, namespace, flags = [] }: OperatorOptions): OperatorProcess {
    const args = [
      "operator/main.ts",
      `--watch-namespaces=${namespace}`,
      "--bind-address=127.0.0.1",
      "--health-port=0",
      "--metrics-port=0",
      "--runtime-image=slipway-runtime:test",
      "--router-image=envoyproxy/envoy:test",
      "--scale-down-delay=1",
      ...flags,
    ];
    const child = spawn(process.execPath, args, {
      env: {
        PATH: process.env["PATH"],
        KUBECONFIG: kubeconfig,
        NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? join("node_modules", ".cache", "compiled"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new OperatorProcess(child);
  }

  /** Resolves once it serves health and metrics; its caches fill after that. */
  async started(): Promise<this> {
    await this.#started.promise;
    return this;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  /** Its metrics as Prometheus reads them. */
  async metrics(): Promise<string> {
    const { metricsPort } = await this.#started.promise;
    return (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  }

  /** Status code of /readyz. */
  async readiness(): Promise<number> {
    const { healthPort } = await this.#started.promise;
    const response = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
    await response.text();
    return response.status;
  }

  /** As a kubelet stops it; one that does not end is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) {
      this.thaw();
      this.#child.kill("SIGTERM");
    }
    const impatient = setTimeout(() => this.kill(), 5_000);
    await this.ended;
    clearTimeout(impatient);
  }

  #said(line: string): void {
    this.output.push(line);
    if (this.output.length > MOST_LINES) this.output.shift();
    if (!line.includes('"operator started"')) return;
    this.#started.resolve(JSON.parse(line) as { metricsPort: number; healthPort: number });
  }
}
