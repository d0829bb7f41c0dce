import { MicroBatcher } from "./batching/micro-batcher.ts";
import type { Job, JobOutputs } from "./batching/micro-batcher.ts";
import type { Prediction } from "./model/answer.ts";
import type { Model } from "./model/model.ts";
import { RowReader } from "./protocol/rows.ts";

/** How the model is called in answers, metrics and URLs. */
export interface ModelIdentity {
  readonly name: string;
  readonly version: string;
  readonly variant: string;
  readonly revision: string | undefined;
  /** Where it came from, without credentials. */
  readonly source: string;
  readonly sha256: string;
}

export interface ServingOptions {
  readonly maxRows: number;
  readonly maxQueue: number;
  readonly maxWait: number;
  readonly now: () => number;
  readonly onRun: (rows: number) => void;
}

/** The loaded model together with its queue. */
export class ServedModel {
  readonly model: Model;
  readonly identity: ModelIdentity;
  readonly loadedAt: Date;
  /** Reads /predict bodies; undefined when the model has no named fields. */
  readonly rows: RowReader | undefined;
  readonly #batcher: MicroBatcher;

  constructor(model: Model, identity: ModelIdentity, loadedAt: Date, options: ServingOptions) {
    this.model = model;
    this.identity = identity;
    this.loadedAt = loadedAt;
    this.rows = model.features && new RowReader(model.features, model.pipeline.inputs);
    this.#batcher = new MicroBatcher(model.pipeline, { ...options, batchable: model.batchable });
  }

  get queueLength(): number {
    return this.#batcher.queueLength;
  }

  /** Runs the job as it is: what the v2 protocol needs. */
  infer(job: Job): Promise<JobOutputs> {
    return this.#batcher.submit(job);
  }

  /** One prediction for each row. A model that takes one row a run gets them one by one. */
  async predict(job: Job): Promise<Prediction[]> {
    const jobs = this.model.batchable ? [job] : singleRows(job);
    const runs = await Promise.all(jobs.map((part) => this.#batcher.submit(part)));
    return runs.flatMap(({ outputs, firstRow }, index) =>
      Array.from({ length: jobs[index]?.rows ?? 0 }, (_, row) => this.model.answers.read(outputs, firstRow + row)),
    );
  }
}

function singleRows({ rows, inputs, dims }: Job): Job[] {
  return Array.from({ length: rows }, (_, row) => ({
    rows: 1,
    inputs: inputs.map((values) => values.slice((row * values.length) / rows, ((row + 1) * values.length) / rows)),
    dims: dims.map((sizes) => [1, ...sizes.slice(1)]),
  }));
}
