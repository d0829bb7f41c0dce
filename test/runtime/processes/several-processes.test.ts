import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";

import { expect } from "chai";

import type { TerminationMessage } from "../../../runtime/contract.ts";
import { TestServer } from "../support/http-server.ts";
import { RuntimeProcess } from "../support/runtime-process.ts";
import { Scratch } from "../support/scratch.ts";
import { waitFor } from "../support/wait-for.ts";

const LOAN = "examples/loan/2.0.0";
const APPLICANT = { age: 34, income: 52_000, credit_score: 700 };

/** One connection, which therefore stays with one process. */
class Connection {
  readonly #runtime: RuntimeProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  isClosed = false;

  constructor(runtime: RuntimeProcess) {
    this.#runtime = runtime;
  }

  async ask(path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const url = await this.#runtime.url(path);
    const method = body === undefined ? "GET" : "POST";
    const sent = request(url, { agent: this.#agent, method, headers: { "content-type": "application/json" } });
    sent.once("socket", (socket) => {
      if (!sent.reusedSocket) socket.once("close", () => (this.isClosed = true));
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
    return { status: response.statusCode ?? 0, text };
  }

  async json(path: string, body?: unknown): Promise<Record<string, unknown>> {
    return JSON.parse((await this.ask(path, body)).text) as Record<string, unknown>;
  }

  /** Of the series whose name and labels begin like this. */
  async metric(series: string): Promise<number | undefined> {
    const line = (await this.ask("/metrics")).text.split("\n").find((text) => text.startsWith(series));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ")));
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Connections are dealt out in turn: of four, each of two processes has two. */
async function connect(runtime: RuntimeProcess, count: number): Promise<Connection[]> {
  const connections = Array.from({ length: count }, () => new Connection(runtime));
  for (const connection of connections) await connection.ask("/v2/health/live");
  return connections;
}

const closeAll = (connections: readonly Connection[]): void => connections.forEach((connection) => connection.close());

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The processes that serve, by their numbers. */
function pidOf(runtime: RuntimeProcess, number: string): number {
  const pid = runtime.lines("process started").findLast((line) => line.process === number)?.pid;
  if (pid === undefined) throw new Error(`there is no process ${number}`);
  return pid;
}

describe("A runtime of two processes", () => {
  let runtime: RuntimeProcess;

  before(async () => {
    runtime = new RuntimeProcess({ MODEL_URI: LOAN, PROCESSES: "2", GRPC_PORT: "0", FEEDBACK_WINDOW: "4" });
    await runtime.logged("all processes are ready");
  });
  after(() => runtime[Symbol.asyncDispose]());

  it("listens on one port for HTTP and one for gRPC", () => {
    for (const message of ["listening", "listening for gRPC"])
      expect(new Set(runtime.lines(message).map(({ port }) => port)).size, message).to.equal(1);
    expect(runtime.lines("listening").map((line) => line.process)).to.have.members(["1", "2"]);
  });

  it("shows the sums of both in the /metrics of either, and each process's own beside them", async () => {
    const connections = await connect(runtime, 4);
    const [first] = connections as [Connection];
    const series = "ml_predictions_total{";
    const before = (await first.metric(series)) ?? 0;
    for (const connection of connections) expect((await connection.ask("/predict", APPLICANT)).status).to.equal(200);
    for (const connection of connections) {
      expect(await connection.metric(series)).to.equal(before + 4);
      expect(await connection.metric("ml_prediction_latency_seconds_count")).to.equal(before + 4);
      for (const number of ["1", "2"])
        expect(await connection.metric(`process_resident_memory_bytes{process="${number}"}`)).to.be.above(0);
    }
    closeAll(connections);
  });

  it("counts feedback once, whichever process gave the answer and whichever hears of it", async () => {
    const connections = await connect(runtime, 2);
    const [one, other] = connections as [Connection, Connection];
    const give = async (from: Connection, to: Connection, truth: string): Promise<unknown> => {
      const { request_id } = await from.json("/predict", APPLICANT);
      const counted = await to.json("/feedback", { request_id, truth });
      const again = await from.json("/feedback", { request_id, truth });
      return [counted["accepted"], again["accepted"]];
    };
    expect(await give(one, other, "approved")).to.deep.equal([1, 0]);
    expect(await give(other, one, "approved")).to.deep.equal([1, 0]);
    expect(await give(one, other, "rejected")).to.deep.equal([1, 0]);
    for (const connection of connections) {
      expect(await connection.metric("ml_model_accuracy")).to.be.closeTo(2 / 3, 1e-9);
      expect(await connection.metric('ml_feedback_refused_total{reason="duplicate"}')).to.equal(3);
    }
    await give(other, one, "rejected");
    await give(one, one, "rejected"); // the window of four slides past the first
    expect(await other.metric("ml_model_accuracy")).to.equal(1 / 4);
    closeAll(connections);
  });

  it("shows the metrics as they were of a process that does not answer", async () => {
    const connections = await connect(runtime, 2);
    const counts = await Promise.all(connections.map((connection) => connection.metric("ml_predictions_total{")));
    const stuck = pidOf(runtime, "1");
    process.kill(stuck, "SIGSTOP");
    const shown = await Promise.race(connections.map((connection) => connection.metric("ml_predictions_total{")));
    process.kill(stuck, "SIGCONT");
    expect([shown]).to.deep.equal(counts.slice(0, 1));
    closeAll(connections);
  });

  it("loses nothing but the connections of a process that is killed, which another replaces", async () => {
    const connections = await connect(runtime, 4);
    const [first] = connections as [Connection];
    const before = await first.metric("ml_predictions_total{");
    process.kill(pidOf(runtime, "2"), "SIGKILL");
    await runtime.logged("starting a process in its place");
    const open = (): Connection[] => connections.filter(({ isClosed }) => !isClosed);
    await waitFor(async () => open().length === 2);
    const [left] = open() as [Connection];
    expect((await left.ask("/predict", APPLICANT)).status).to.equal(200);
    expect((await left.ask("/health")).status).to.equal(503); // ready is the pod that has all of its processes
    expect(await left.metric("ml_predictions_total{")).to.equal((before ?? 0) + 1);
    await runtime.logged("all processes are ready", 2);
    await waitFor(async () => (await left.ask("/health")).status === 200);
    expect(await left.metric("ml_process_restarts_total")).to.equal(1);
    closeAll(connections);
  });

  it("leaves no process behind when the one that looks after them is killed", async () => {
    const pids = ["1", "2"].map((number) => pidOf(runtime, number));
    process.kill(runtime.pid, "SIGKILL");
    await waitFor(async () => !pids.some(isAlive));
  });
});

describe("The processes of a pod", () => {
  const scratch = new Scratch();
  let downloads = 0;
  const source = new TestServer((_, response) => {
    downloads += 1;
    readFile("test/runtime/fixtures/regressor.onnx").then(
      (bytes) => response.end(bytes),
      (error: Error) => response.destroy(error),
    );
  });

  it("download their model once, also for one that takes another's place, and drain together", async () => {
    await using runtime = new RuntimeProcess({
      MODEL_URI: `${source.url}/model.onnx`,
      MODEL_CACHE_DIR: scratch.path("cache"),
      PROCESSES: "3",
      DRAIN_SECONDS: "60",
    });
    await runtime.logged("all processes are ready");
    process.kill(pidOf(runtime, "3"), "SIGKILL");
    await runtime.logged("all processes are ready", 2);
    expect(downloads).to.equal(1);

    const statuses: number[] = [];
    const routed = new AbortController();
    const clients = Array.from({ length: 9 }, async () => {
      const connection = new Connection(runtime);
      while (!routed.signal.aborted) {
        const { status } = await connection.ask("/predict", { f0: 1, f1: 1, f2: 1 });
        statuses.push(status);
      }
      connection.close();
    });
    await waitFor(async () => statuses.length >= 100);
    runtime.signal("SIGTERM");
    await runtime.logged("draining", 3);
    expect((await fetch(await runtime.url("/health"))).status).to.equal(503);
    const before = statuses.length;
    await waitFor(async () => statuses.length >= before + 100);
    routed.abort();
    await Promise.all(clients);
    runtime.signal("SIGTERM");
    expect(await runtime.exited, runtime.log).to.equal(0);
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
  });

  it("end with the reason when the model cannot be loaded", async () => {
    await using runtime = new RuntimeProcess({
      MODEL_URI: await scratch.folder({ "model.onnx": "no graph" }),
      TERMINATION_MESSAGE_PATH: scratch.path("termination"),
      PROCESSES: "2",
    });
    expect(await runtime.exited, runtime.log).to.equal(1);
    const told = JSON.parse(await scratch.text("termination")) as TerminationMessage;
    expect(told).to.include({ reason: "InvalidModel", permanent: true });
    expect(told.message).to.include("ONNX Runtime refuses model.onnx");
  });

  it("end, to be started anew, when the artifact that a new one needs has changed", async () => {
    const folder = await scratch.folder({ "model.onnx": await readFile("test/runtime/fixtures/regressor.onnx") });
    await using runtime = new RuntimeProcess({
      MODEL_URI: folder,
      TERMINATION_MESSAGE_PATH: scratch.path("changed"),
      PROCESSES: "2",
    });
    await runtime.logged("all processes are ready");
    await writeFile(join(folder, "metadata.json"), '{"version": "2"}');
    process.kill(pidOf(runtime, "1"), "SIGKILL");
    expect(await runtime.exited, runtime.log).to.equal(1);
    expect(JSON.parse(await scratch.text("changed"))).to.include({ reason: "DigestMismatch", permanent: true });
  });

  it("end when one is killed before the model is loaded", async () => {
    await using runtime = new RuntimeProcess({
      MODEL_URI: "https://192.0.2.1/model.onnx", // an address that never answers
      MODEL_CACHE_DIR: scratch.path("cache"),
      TERMINATION_MESSAGE_PATH: scratch.path("killed"),
      PROCESSES: "2",
    });
    await runtime.logged("listening");
    process.kill(pidOf(runtime, "1"), "SIGKILL");
    expect(await runtime.exited, runtime.log).to.equal(1);
    const told = JSON.parse(await scratch.text("killed")) as TerminationMessage;
    expect(told).to.include({ reason: "InvalidModel", permanent: false });
    expect(told.message).to.match(/^process 1 ended with SIGKILL before the model was loaded; is there memory/);
  });
});
