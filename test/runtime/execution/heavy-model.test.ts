import { request } from "node:http";

import { expect } from "chai";

import { RuntimeProcess } from "../support/runtime-process.ts";
import { graph } from "../support/scratch.ts";
import { Serving } from "../support/serving.ts";
import { waitFor } from "../support/wait-for.ts";

/** A request whose only run takes a second or more. */
const LONG = { instances: Array.from({ length: 40 }, () => ({ x: 1 })) };

/** Long requests that keep the model busy while a busy machine gets ten more into the queue. */
const BUSY = 2;

describe("A model whose runs are long", () => {
  const serving = new Serving({ "model.onnx": graph("slow") }, { BATCH_MAX_SIZE: "1" });

  it("computes in a thread of its own, while health checks are answered", async () => {
    const answered = new AbortController();
    const prediction = serving.post("/predict", { x: 2 }).finally(() => answered.abort());
    let checks = 0;
    while (!answered.signal.aborted) {
      expect((await serving.get("/health")).status).to.equal(200);
      if (!answered.signal.aborted) checks += 1;
    }
    expect((await prediction).json["prediction"]).to.equal(512);
    expect(checks).to.be.greaterThan(3);
  });

  it("does not begin a run that its caller no longer waits for", async () => {
    const first = serving.post("/predict", { x: 1 });
    const late = await serving.post("/predict", { x: 3 }, { "x-request-timeout-ms": "1" });
    expect(late.status).to.equal(504);
    expect(late.json["detail"]).to.match(/no run began before the deadline/);
    expect((await first).json["prediction"]).to.equal(1);
    expect((await serving.post("/predict", { x: 1 }, { "x-request-timeout-ms": "60000" })).status).to.equal(200);
  });

  it("refuses a time limit that is none", async () => {
    for (const limit of ["0", "-5", "1.5", "soon", "9999999999"]) {
      const { status } = await serving.post("/predict", { x: 1 }, { "x-request-timeout-ms": limit });
      expect(status, limit).to.equal(400);
    }
  });

  it("drops the requests of clients that went away from the queue", async function () {
    this.timeout(60_000); // long runs, on a machine that may be busy
    const runs = async (): Promise<number> =>
      Number(/ml_batch_rows_count\S* (\d+)/.exec(await serving.text("/metrics"))?.[1] ?? 0);
    const queued = async (): Promise<number> =>
      Number(/ml_queue_length\S* (\d+)/.exec(await serving.text("/metrics"))?.[1] ?? 0);
    const before = await runs();
    const long = Array.from({ length: BUSY }, async () => serving.post("/predict", LONG)); // until all ten are queued
    const headers = { "content-type": "application/json" };
    const gone = Array.from({ length: 10 }, () => request(serving.url("/predict"), { method: "POST", headers }));
    for (const each of gone) each.on("error", () => undefined).end('{"x": 5}');
    await waitFor(async () => (await queued()) >= gone.length);
    for (const each of gone) each.destroy();
    await Promise.all(long);
    await waitFor(async () => /ml_requests_in_flight\S* 0$/m.test(await serving.text("/metrics")));
    expect((await runs()) - before).to.be.below(BUSY + 5); // the long ones, and the few that had begun when their client left
  });
});

describe("Ten times more requests than may be in flight", () => {
  it("are refused with Retry-After beyond the limit, and memory stays what it was", async function () {
    this.timeout(60_000); // a hundred megabytes of requests
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/slow.onnx", MAX_QUEUE: "10" });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const headers = { "content-type": "application/json", "x-request-timeout-ms": "200" };
    const body = JSON.stringify({ x: 1, padding: "x".repeat(200_000) });
    const flood = async (): Promise<Response[]> => {
      const answers = Array.from({ length: 100 }, async () => fetch(url, { method: "POST", headers, body }));
      return Promise.all(
        answers.map(async (answer) => {
          const response = await answer;
          await response.arrayBuffer();
          return response;
        }),
      );
    };
    const memory = async (): Promise<number> =>
      Number(
        /process_resident_memory_bytes (\d+)/.exec(await (await fetch(await runtime.url("/metrics"))).text())?.[1],
      );

    const statuses = new Set<number>();
    for (let round = 0; round < 6; round += 1) {
      for (const { status, headers } of await flood()) {
        statuses.add(status);
        if (status === 503) expect(headers.get("retry-after")).to.equal("1");
      }
    }
    expect([...statuses]).to.include.members([200, 503]);
    for (const status of statuses) expect(status).to.be.oneOf([200, 503, 504]);
    const before = await memory();
    const sent = 5 * 100 * body.length;
    for (let round = 0; round < 5; round += 1) await flood();
    expect(await memory()).to.be.below(before + sent / 2);
    expect((await fetch(await runtime.url("/health"))).status).to.equal(200);
  });
});

describe("A process with a model in a thread", () => {
  it("answers what it began and ends cleanly when it is told to stop in the middle of a run", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/slow.onnx", BATCH_MAX_SIZE: "1" }); // a run for each
    expect(await runtime.logged("model is warm")).to.include({ thread: true });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const headers = { "content-type": "application/json", connection: "close" };
    const answers = [1, 2, 3].map(async () => fetch(url, { method: "POST", headers, body: JSON.stringify(LONG) }));
    await waitFor(async () => /in_flight\S* 3$/m.test(await (await fetch(await runtime.url("/metrics"))).text()));
    runtime.signal("SIGTERM");
    for (const answer of await Promise.all(answers)) {
      const { predictions } = (await answer.json()) as { predictions: { prediction: number }[] };
      expect(predictions.map(({ prediction }) => prediction)).to.deep.equal(LONG.instances.map(() => 1));
    }
    expect(await runtime.exited, runtime.log).to.equal(0);
  });
});

describe("Every kind of column", () => {
  const serving = new Serving(
    { "model.onnx": graph("mixed"), "metadata.json": { task: "regression" } },
    { INLINE_RUN_MS: "0" },
  );

  it("reaches the thread and comes back as it is", async () => {
    const instances = [1, 2].map((count) => ({ flag: count > 1, count, amount: count / 2, word: `wört ${count}` }));
    const { json } = await serving.post("/predict", { instances });
    expect(json["predictions"]).to.deep.equal([
      { prediction: { total: 0.5, thousands: 1000, echo: "wört 1" } },
      { prediction: { total: 2, thousands: 2000, echo: "wört 2" } },
    ]);
  });
});

describe("Floats of 16 bits", () => {
  const serving = new Serving({ "model.onnx": graph("halves") }, { INLINE_RUN_MS: "0" });

  it("reach the thread and come back as they are", async () => {
    const input = { name: "x", datatype: "FP16", shape: [2, 2], data: [0.5, 65_504, null, -2] };
    const { json } = await serving.post("/v2/models/model/infer", { inputs: [input] });
    expect(json["outputs"]).to.deep.equal([{ ...input, name: "y" }]);
  });
});

describe("A run that fails in a thread", () => {
  const files = { "model.onnx": graph("lookup"), "metadata.json": { features: ["index"] } };
  const serving = new Serving(files, { INLINE_RUN_MS: "0" });

  it("fails alone", async () => {
    const answers = await Promise.all([0, 99, 2].map((index) => serving.post("/predict", { index })));
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 500, 200]);
    expect(answers[2]?.json["prediction"]).to.equal(30);
  });
});
