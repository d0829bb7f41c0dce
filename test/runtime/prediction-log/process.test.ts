import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants, createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { expect } from "chai";

import { waitFor } from "../support/wait-for.ts";
import { imageEnvironment } from "../support/runtime-process.ts";
import { LogFile } from "./log-file.ts";

const APPLICANT = JSON.stringify({ age: 34, income: 52_000, credit_score: 700 });
const LOAN = "examples/loan/2.0.0";

/** The runtime with its predictions on a stdout of the test's choice, or in a sink; its own log is on the other stream. */
class LoggingProcess {
  readonly #child: ChildProcess;
  readonly #log: Record<string, unknown>[] = [];
  #changed: () => void = () => undefined;

  constructor(environment: Readonly<Record<string, string>>, stdout: "pipe" | number = "pipe") {
    const env = { ...imageEnvironment(), MODEL_URI: LOAN, PORT: "0", HOST: "127.0.0.1", DRAIN_SECONDS: "0" };
    this.#child = spawn(process.execPath, ["runtime/main.ts"], {
      env: { ...env, ...environment },
      stdio: ["ignore", stdout, "pipe"],
    });
    const own = environment["LOG_PREDICTIONS_SINK"] === "stdout" ? this.#child.stderr : this.#child.stdout;
    if (own === null) throw new Error("the log is not piped");
    createInterface({ input: own }).on("line", (line) => {
      this.#log.push(JSON.parse(line) as Record<string, unknown>);
      this.#changed();
    });
    this.#child.on("exit", () => this.#changed());
  }

  get stdout(): NonNullable<ChildProcess["stdout"]> {
    if (this.#child.stdout === null) throw new Error("stdout is not piped");
    return this.#child.stdout;
  }

  get log(): string {
    return this.#log.map((line) => JSON.stringify(line)).join("\n");
  }

  async logged(message: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.#log.find(({ msg }) => String(msg).startsWith(message));
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new Error(`the runtime ended without "${message}":\n${this.log}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Sends so many requests, some at a time; each must be answered 200. */
  async predict(count: number, body = APPLICANT): Promise<void> {
    await this.logged("ready");
    const { port } = await this.logged("listening");
    let left = count;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`http://127.0.0.1:${Number(port)}/predict`, { method: "POST", headers, body });
        expect(answer.status, await answer.text()).to.equal(200);
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));
  }

  async metric(name: string): Promise<number> {
    const { port } = await this.logged("listening");
    const metrics = await (await fetch(`http://127.0.0.1:${Number(port)}/metrics`)).text();
    const line = metrics.split("\n").find((line) => line.startsWith(name));
    return Number(line?.slice(line.lastIndexOf(" ")));
  }

  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

const DROPPED = 'ml_prediction_log_dropped_total{model_version="2.0.0",reason="queue_full"}';

describe("The prediction log of a process", function () {
  this.timeout(60_000); // starts and stops processes, on a machine that may be busy
  const log = new LogFile();

  it("is on stdout alone, whole lines only, down to the last one before the end", async () => {
    await using runtime = new LoggingProcess({ LOG_PREDICTIONS_SINK: "stdout" });
    const output = text(runtime.stdout);
    const many = JSON.stringify({ instances: Array.from({ length: 100 }, () => JSON.parse(APPLICANT) as object) });
    await runtime.predict(200);
    await runtime.predict(20, many);
    expect(await runtime.stop()).to.equal(0);
    const lines = (await output).trimEnd().split("\n");
    expect(lines).to.have.length(220);
    for (const line of lines) {
      expect(JSON.parse(line)).to.include({ log: "prediction", model_variant: "default" });
      expect(Buffer.byteLength(line)).to.be.below(4096);
    }
    expect(lines.filter((line) => line.includes('"truncated":true'))).to.have.length(20);
    expect(runtime.log).to.include('"msg":"stopped"').and.not.include('prediction"');
  });

  it("never makes a request wait for a reader of stdout that stalls, nor the end", async () => {
    const fifo = `${log.folder}/stdout`;
    await promisify(execFile)("mkfifo", [fifo]);
    const reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK); // opened, never read
    const writer = await open(fifo, "w");
    await using runtime = new LoggingProcess(
      { LOG_PREDICTIONS_SINK: "stdout", LOG_PREDICTIONS_MAX_QUEUE: "100" },
      writer.fd,
    );
    await runtime.predict(1000);
    expect(await runtime.metric(DROPPED)).to.be.greaterThan(500);
    expect(await runtime.stop()).to.equal(0);
    expect(runtime.log)
      .to.match(/"reason":"shutdown"/)
      .and.to.match(/"msg":"stopped"/);
    await writer.close();
    const lines = (await text(createReadStream("", { fd: reader.fd, autoClose: false }))).split("\n");
    await reader.close();
    for (const line of lines.slice(0, -1)) expect(JSON.parse(line)).to.include({ log: "prediction" });
    expect(lines.at(-1)).to.equal("");
  });

  it("is flushed to its file on SIGTERM", async () => {
    await using runtime = new LoggingProcess({ LOG_PREDICTIONS_SINK: log.sink });
    await runtime.predict(300);
    expect(await runtime.stop()).to.equal(0);
    expect(await log.lines()).to.have.length(300);
  });

  it("counts what a full disk takes away, and serves on", async () => {
    await using runtime = new LoggingProcess({ LOG_PREDICTIONS_SINK: "file:///dev/full" });
    await runtime.predict(50);
    await waitFor(
      async () => (await runtime.metric('ml_prediction_log_dropped_total{model_version="2.0.0",reason="sink"}')) === 50,
    );
    await runtime.predict(1);
    expect(runtime.log.match(/lines of the prediction log are lost/g)).to.have.length(1);
    expect(runtime.log).to.match(/ENOSPC/);
  });

  it("does not begin to serve when its file cannot be opened", async () => {
    await using runtime = new LoggingProcess({ LOG_PREDICTIONS_SINK: "file:///nowhere/predictions.jsonl" });
    const line = await runtime.logged("opening the prediction log /nowhere/predictions.jsonl: ENOENT");
    expect(line).to.include({ level: "fatal", reason: "InvalidConfiguration" });
  });

  it("survives a receiver that never answers, bounded, and tells neither token nor query", async () => {
    const stuck = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(stuck, "listening");
    const { port } = stuck.address() as AddressInfo;
    await using runtime = new LoggingProcess({
      LOG_PREDICTIONS_SINK: `http://127.0.0.1:${port}/events?sig=SECRET`,
      LOG_PREDICTIONS_AUTHORIZATION: "Bearer SECRET",
      LOG_PREDICTIONS_MAX_QUEUE: "10",
    });
    await runtime.predict(500);
    expect(await runtime.metric(DROPPED)).to.be.greaterThan(300);
    expect(await runtime.stop()).to.equal(0);
    stuck.closeAllConnections();
    stuck.close();
    expect(runtime.log).to.include(`http://127.0.0.1:${port}/events`).and.not.include("SECRET");
  });

  it("warns of names to be redacted that this model does not have", async () => {
    await using runtime = new LoggingProcess({
      LOG_PREDICTIONS_SINK: log.sink,
      LOG_PREDICTIONS_REDACT: "incom,age",
    });
    const message = "LOG_PREDICTIONS_REDACT has names that are no field, input or output of this model";
    expect((await runtime.logged(message))["names"]).to.deep.equal(["incom"]);
  });
});
