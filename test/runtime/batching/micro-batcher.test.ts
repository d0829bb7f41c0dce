import { expect } from "chai";
import * as fc from "fast-check";

import {
  CancelledError,
  DeadlineError,
  MicroBatcher,
  QueueFullError,
} from "../../../runtime/batching/micro-batcher.ts";
import type { BatcherOptions, Job, JobOutputs } from "../../../runtime/batching/micro-batcher.ts";
import type { Pipeline } from "../../../runtime/model/pipeline.ts";
import type { Feeds } from "../../../runtime/model/session.ts";

/** A pipeline that hands its one column through, and remembers the sizes of its runs. */
function echo(runs: number[] = []): Pipeline {
  const spec = { name: "x", type: "float64", shape: [-1, -1] } as const;
  const run = async (feeds: Feeds): ReturnType<Pipeline["run"]> => {
    const { dims, data } = feeds["x"]!;
    runs.push(dims[0]!);
    if (!(data instanceof Float64Array)) throw new TypeError("the column is no float64");
    if (data.includes(-1)) throw new Error("the model dislikes -1");
    return [{ name: "x", type: "float64", dims, data }];
  };
  return { inputs: [spec], outputs: [spec], run, close: async () => undefined };
}

const job = (...values: number[]): Job => ({ rows: values.length, inputs: [values], dims: [[values.length, 1]] });

function batcher(pipeline: Pipeline, options: Partial<BatcherOptions> = {}): MicroBatcher {
  return new MicroBatcher(pipeline, {
    batchable: true,
    maxRows: 64,
    maxQueue: 1000,
    maxWait: 1000,
    maxDelay: 0,
    now: () => 0,
    onRun: () => undefined,
    onRan: () => undefined,
    onWait: () => undefined,
    ...options,
  });
}

const whole = (given: JobOutputs): JobOutputs => given;

async function answered(batcher: MicroBatcher, values: number[]): Promise<number[]> {
  const { outputs, firstRow } = await batcher.submit(job(...values), {}, whole);
  return values.map((_, row) => Number(outputs[0]!.data[firstRow + row]));
}

describe("MicroBatcher", () => {
  it("runs the jobs of one turn together, up to the most rows of a run", async () => {
    const runs: number[] = [];
    const subject = batcher(echo(runs), { maxRows: 4 });
    await Promise.all([1, 2, 3, 4, 5].map((value) => answered(subject, [value])));
    expect(runs).to.deep.equal([4, 1]);
  });

  it("runs a job at once when the turn before brought no other; what else comes in that turn shares a run", async () => {
    const runs: number[] = [];
    const subject = batcher(echo(runs));
    const turn = async (...values: number[]): Promise<{ atOnce: number[]; inAll: number[] }> => {
      const before = runs.length;
      const all = values.map((value) => answered(subject, [value]));
      const atOnce = runs.slice(before);
      expect(await Promise.all(all)).to.deep.equal(values.map((value) => [value]));
      await new Promise(setImmediate);
      return { atOnce, inAll: runs.slice(before) };
    };
    expect(await turn(1)).to.deep.equal({ atOnce: [], inAll: [1] });
    expect(await turn(2)).to.deep.equal({ atOnce: [1], inAll: [1] });
    expect(await turn(3, 4, 5)).to.deep.equal({ atOnce: [1], inAll: [1, 2] });
    expect(await turn(6, 7)).to.deep.equal({ atOnce: [], inAll: [2] });
    expect(await turn(8)).to.deep.equal({ atOnce: [], inAll: [1] });
    expect(await turn(9)).to.deep.equal({ atOnce: [1], inAll: [1] });
  });

  it("runs a job of more rows than a run may have alone, and lets later ones fill an earlier run", async () => {
    const runs: number[] = [];
    const subject = batcher(echo(runs), { maxRows: 2 });
    await Promise.all([[1], [2, 3, 4], [5]].map((values) => answered(subject, values)));
    expect(runs).to.deep.equal([2, 3]);
  });

  it("gives every job its own rows", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 9 }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 40 }),
        async (jobs, maxRows) => {
          const subject = batcher(echo(), { maxRows });
          expect(await Promise.all(jobs.map((values) => answered(subject, values)))).to.deep.equal(jobs);
        },
      ),
    ));

  it("lets a failing job fail alone", async () => {
    const subject = batcher(echo());
    const results = await Promise.allSettled([[1], [-1], [2]].map((values) => answered(subject, values)));
    expect(results.map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled"]);
  });

  it("mixes no jobs whose rows differ in shape, nor any when the model takes one at a time", async () => {
    const runs: number[] = [];
    const shared = batcher(echo(runs));
    const wide: Job = { rows: 1, inputs: [[1, 2]], dims: [[1, 2]] };
    await Promise.all([job(1), wide, job(3)].map((each) => shared.submit(each, {}, whole)));
    expect(runs).to.deep.equal([2, 1]);

    const single: number[] = [];
    const subject = batcher(echo(single), { batchable: false });
    await Promise.all([job(1), job(2)].map((each) => subject.submit(each, {}, whole)));
    expect(single).to.deep.equal([1, 1]);
  });

  it("refuses a job when the queue is full, and takes the next when it is not", async () => {
    const subject = batcher(echo(), { maxQueue: 2 });
    const results = await Promise.allSettled([[1], [2], [3]].map((values) => answered(subject, values)));
    expect(results[2]).to.have.property("reason").that.is.instanceOf(QueueFullError);
    expect(await answered(subject, [4])).to.deep.equal([4]);
  });

  it("does not run a job whose caller's own deadline is past, nor one whose caller is gone", async () => {
    let now = 0;
    const runs: number[] = [];
    const subject = batcher(echo(runs), { maxRows: 1, now: () => now, onRun: () => (now += 11) });
    const results = await Promise.allSettled([
      subject.submit(job(1), {}, whole),
      subject.submit(job(2), { deadline: 10 }, whole),
      subject.submit(job(3), { deadline: 12 }, whole),
      subject.submit(job(4), { isGone: () => true }, whole),
    ]);
    expect(results.map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect(results[1]).to.have.property("reason").that.is.instanceOf(DeadlineError);
    expect(results[3]).to.have.property("reason").that.is.instanceOf(CancelledError);
    expect(subject.queueLength).to.equal(0);
    expect(runs).to.deep.equal([1, 1]);
  });

  it("lets the first job wait for company when it is told to, but no longer than until a run is full", async () => {
    const runs: number[] = [];
    const subject = batcher(echo(runs), { maxRows: 3, maxDelay: 60_000 });
    const first = answered(subject, [1]);
    await new Promise(setImmediate);
    expect(runs).to.deep.equal([]);
    await Promise.all([first, answered(subject, [2, 3])]);
    expect(runs).to.deep.equal([3]);

    const patient = batcher(echo(runs), { maxRows: 3, maxDelay: 1 });
    await answered(patient, [4]);
    expect(runs).to.deep.equal([3, 1]);
  });

  it("does not run a job that waited too long", async () => {
    let now = 0;
    const runs: number[] = [];
    const subject = batcher(echo(runs), { maxRows: 1, maxWait: 10, now: () => now, onRun: () => (now += 11) });
    const results = await Promise.allSettled([[1], [2]].map((values) => answered(subject, values)));
    expect(results[1]).to.have.property("reason").that.is.instanceOf(DeadlineError);
    expect(runs).to.deep.equal([1]);
  });
});
