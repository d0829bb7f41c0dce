import { request } from "node:http";

import { expect } from "chai";

import { RuntimeProcess } from "../support/runtime-process.ts";
import { graph } from "../support/scratch.ts";
import { Serving } from "../support/serving.ts";
import { waitFor } from "../support/wait-for.ts";

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
    expect(late.json["detail"]).to.match(/no run began within 1 ms/);
    expect((await first).json["prediction"]).to.equal(1);
    expect((await serving.post("/predict", { x: 1 }, { "x-request-timeout-ms": "60000" })).status).to.equal(200);
  });

  it("refuses a time limit that is none", async () => {
    for (const limit of ["0", "-5", "1.5", "soon", "9999999999"]) {
      const { status } = await serving.post("/predict", { x: 1 }, { "x-request-timeout-ms": limit });
      expect(status, limit).to.equal(400);
    }
  });

  it("drops the requests of clients that went away from the queue", async () => {
    const runs = async (): Promise<number> =>
      Number(/ml_batch_rows_count\S* (\d+)/.exec(await serving.text("/metrics"))?.[1] ?? 0);
    const before = await runs();
    const first = serving.post("/predict", { x: 1 });
    const headers = { "content-type": "application/json" };
    const gone = Array.from({ length: 10 }, () => request(serving.url("/predict"), { method: "POST", headers }));
    for (const each of gone) each.on("error", () => undefined).end('{"x": 5}');
    await waitFor(async () => (await serving.text("/metrics")).includes("ml_queue_length 10"));
    for (const each of gone) each.destroy();
    await first;
    await waitFor(async () => (await serving.text("/metrics")).includes("ml_requests_in_flight 0"));
    expect((await runs()) - before).to.be.below(5); // the first, and the few that had begun when their client left
  });
});

describe("Ten times more requests than may be in flight", () => {
  it("are refused with Retry-After beyond the limit, and memory stays what it was", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/slow.onnx", MAX_QUEUE: "20" });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const headers = { "content-type": "application/json", "x-request-timeout-ms": "200" };
    const body = JSON.stringify({ x: 1, padding: "x".repeat(200_000) });
    const flood = async (): Promise<Response[]> => {
      const answers = Array.from({ length: 200 }, async () => fetch(url, { method: "POST", headers, body }));
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
    for (const { status, headers } of [...(await flood()), ...(await flood())]) {
      statuses.add(status);
      if (status === 503) expect(headers.get("retry-after")).to.equal("1");
    }
    expect([...statuses]).to.include.members([200, 503]);
    for (const status of statuses) expect(status).to.be.oneOf([200, 503, 504]);
    const before = await memory();
    for (let round = 0; round < 5; round += 1) await flood();
    expect(await memory()).to.be.below(before * 1.3);
    expect((await fetch(await runtime.url("/health"))).status).to.equal(200);
  });
});

describe("A process with a model in a thread", () => {
  it("answers what it began and ends cleanly when it is told to stop in the middle of a run", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/slow.onnx", BATCH_MAX_SIZE: "1" });
    expect(await runtime.logged("model is warm")).to.include({ thread: true });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const headers = { "content-type": "application/json", connection: "close" };
    const answers = [1, 2, 1].map((x) => fetch(url, { method: "POST", headers, body: JSON.stringify({ x }) }));
    await waitFor(async () => (await (await fetch(await runtime.url("/metrics"))).text()).includes("in_flight 3"));
    runtime.signal("SIGTERM");
    const predictions = await Promise.all(answers.map(async (answer) => (await answer).json()));
    expect(predictions.map((json) => (json as { prediction: number }).prediction)).to.deep.equal([1, 512, 1]);
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

describe("A run that fails in a thread", () => {
  const files = { "model.onnx": graph("lookup"), "metadata.json": { features: ["index"] } };
  const serving = new Serving(files, { INLINE_RUN_MS: "0" });

  it("fails alone", async () => {
    const answers = await Promise.all([0, 99, 2].map((index) => serving.post("/predict", { index })));
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 500, 200]);
    expect(answers[2]?.json["prediction"]).to.equal(30);
  });
});
