import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { expect } from "chai";

import type { Scratch } from "../../runtime/support/scratch.ts";

/** Environment of MLflow's own programs. */
export const quiet = { PATH: process.env["PATH"] ?? "", MLFLOW_DISABLE_TELEMETRY: "true", DO_NOT_TRACK: "true" };

/** MLflow's own tracking server, with its store in the suite's folder. */
export class MlflowServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  /** `python` is that of an environment with requirements.txt. */
  static async start(python: string, scratch: Scratch): Promise<MlflowServer> {
    expect(python, "MLFLOW_PYTHON").to.match(/python/);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const store = ["--backend-store-uri", `sqlite:///${scratch.path("mlflow.db")}`];
    const artifacts = ["--artifacts-destination", scratch.path("artifacts")];
    const address = ["--host", "127.0.0.1", "--port", String(port), "--workers", "1"];
    const server = spawn(python, ["-m", "mlflow", "server", ...address, ...store, ...artifacts], {
      env: quiet,
      stdio: "ignore",
      detached: true,
    });
    const isUp = (): Promise<boolean> =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isUp())) {
      expect(server.exitCode, "mlflow server ended").to.equal(null);
      await delay(200);
    }
    return new MlflowServer(url, server);
  }

  /** A call of MLflow's REST API; its answer. */
  async call<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${this.url}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`MLflow answers ${response.status} to ${path}: ${text}`);
    return JSON.parse(text) as T;
  }

  async close(): Promise<void> {
    if (this.#process.pid === undefined || this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    process.kill(-this.#process.pid, "SIGKILL"); // its workers too
    await ended;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
