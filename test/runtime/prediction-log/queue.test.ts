import { expect } from "chai";
import { pino } from "pino";

import { LineWriter } from "../../../runtime/prediction-log/line-writer.ts";
import { PredictionLog } from "../../../runtime/prediction-log/prediction-log.ts";
import type { PredictionLogOptions } from "../../../runtime/prediction-log/prediction-log.ts";
import { redactionOf } from "../../../runtime/prediction-log/redaction.ts";
import type { Line, Sink } from "../../../runtime/prediction-log/sink.ts";

const MODEL = {
  features: undefined,
  metadata: {},
  pipeline: {
    inputs: [{ name: "x", type: "float32", shape: [-1, -1] }],
    outputs: [{ name: "y", type: "float32", shape: [-1, 1] }],
    run: () => Promise.reject(new Error("nothing is run here")),
    close: () => Promise.resolve(),
  },
} as const;

/** A sink that takes nothing until it is let go. */
class HeldSink implements Sink {
  readonly maxLineBytes = 4095;
  readonly lines: Line[] = [];
  readonly #held = Promise.withResolvers<void>();
  #begun: () => void = () => undefined;
  readonly begun = new Promise<void>((resolve) => {
    this.#begun = resolve;
  });

  letGo(): void {
    this.#held.resolve();
  }

  async write(lines: readonly Line[]): Promise<{ written: number }> {
    this.#begun();
    await this.#held.promise;
    this.lines.push(...lines);
    return { written: lines.length };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe("The queue of the prediction log", () => {
  let sink: HeldSink;

  function logTo(limits: Partial<PredictionLogOptions>): PredictionLog {
    sink = new HeldSink();
    const identity = { name: "m", version: "1", variant: "v1", revision: undefined, source: "", sha256: "" };
    return new PredictionLog({
      sink,
      writer: new LineWriter(MODEL, identity, redactionOf([], MODEL, undefined)),
      sample: 1,
      keyHeader: undefined,
      maxValues: 10_000,
      maxQueue: 1_000_000,
      maxQueueBytes: 1024 ** 3,
      logger: pino({ level: "silent" }),
      ...limits,
    });
  }

  function predict(log: PredictionLog, requestId: string, width = 1): void {
    const job = { rows: 1, inputs: [new Float32Array(width).fill(0.25)], dims: [[1, width]] };
    const origin = { requestId, protocol: "predict", began: performance.now(), header: () => undefined };
    log.open(job, MODEL.pipeline.inputs, origin)?.({ predictions: [{ prediction: 1 }] });
  }

  const counted = (log: PredictionLog, name: string, reason?: string): number | undefined =>
    log
      .metrics({})
      .find((family) => family.name === name)
      ?.samples.find(({ labels }) => labels["reason"] === reason)?.value;
  const dropped = (log: PredictionLog, reason: string) => counted(log, "ml_prediction_log_dropped_total", reason);
  const written = (log: PredictionLog) => counted(log, "ml_prediction_log_written_total");

  it("takes so many lines and drops the rest, counted, while the sink is stuck", async () => {
    const log = logTo({ maxQueue: 10 });
    predict(log, "first");
    await sink.begun;
    for (let index = 0; index < 50; index += 1) predict(log, `later-${index}`);
    expect(dropped(log, "queue_full")).to.equal(40);
    sink.letGo();
    await log.close();
    expect(sink.lines.map(({ requestId }) => requestId)).to.deep.equal([
      "first",
      ...Array.from({ length: 10 }, (_, index) => `later-${index}`),
    ]);
    expect(written(log)).to.equal(11);
  });

  it("takes so many bytes, whatever the size of a request", async () => {
    const log = logTo({ maxQueueBytes: 1024 ** 2 });
    predict(log, "first");
    await sink.begun;
    for (let index = 0; index < 1000; index += 1) predict(log, `large-${index}`, 20_000);
    const lost = dropped(log, "queue_full") ?? 0;
    expect(lost).to.be.within(985, 999);
    sink.letGo();
    await log.close();
    expect(sink.lines).to.have.length(1001 - lost);
    for (const { json } of sink.lines) expect(Buffer.byteLength(json)).to.be.at.most(sink.maxLineBytes);
    expect(JSON.parse(sink.lines[1]?.json ?? "")).to.include({ truncated: true, rows: 1 });
  });

  it("takes nothing after its end", async () => {
    const log = logTo({});
    sink.letGo();
    await log.close();
    predict(log, "late");
    expect(sink.lines).to.deep.equal([]);
  });
});
