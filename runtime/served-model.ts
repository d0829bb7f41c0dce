import { MicroBatcher } from "./batching/micro-batcher.ts";
import type { BatcherOptions, Caller, Job, JobOutputs } from "./batching/micro-batcher.ts";
import type { Prediction } from "./model/answer.ts";
import type { Model } from "./model/model.ts";
import { answeredTensors, readJob } from "./protocol/infer.ts";
import type { AnsweredTensor, InferRequest } from "./protocol/infer.ts";
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

/** What the model itself does not decide of its batches. */
export type ServingOptions = Omit<BatcherOptions, "batchable" | "fixedRows">;

export interface PredictionCounter {
  prediction(value: unknown): void;
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
    const { batchable, fixedRows } = model;
    const maxRows = fixedRows ?? options.maxRows;
    this.#batcher = new MicroBatcher(model.pipeline, { ...options, maxRows, batchable, fixedRows });
  }

  get queueLength(): number {
    return this.#batcher.queueLength;
  }

  /** Ends what the model runs in, after the last request. */
  close(): Promise<void> {
    return this.model.pipeline.close();
  }

  /** What the v2 protocol asks, whole and in one run. Throws an InferError when it does not fit the model. */
  async infer(request: InferRequest, counter: PredictionCounter, caller?: Caller): Promise<AnsweredTensor[]> {
    const { pipeline, batchable } = this.model;
    const job = readJob(request, pipeline, batchable);
    const outputs = await this.#batcher.submit(job, caller);
    this.#count(outputs, job.rows, counter);
    return answeredTensors(outputs, job.rows, request.outputs, batchable);
  }

  /** One prediction for each row. The parts of a long request are run one by one, so that others get their turn between. */
  async predict(job: Job, caller?: Caller): Promise<Prediction[]> {
    const predictions: Prediction[] = [];
    for (const part of parts(job, this.model.batchable ? (this.model.fixedRows ?? PART_ROWS) : 1)) {
      const { outputs, firstRow } = await this.#batcher.submit(part, caller);
      for (let row = 0; row < part.rows; row += 1) predictions.push(this.model.answers.read(outputs, firstRow + row));
    }
    return predictions;
  }

  /** Counts the predictions in the outputs of a job, where these have a meaning. */
  #count({ outputs, firstRow }: JobOutputs, rows: number, counter: PredictionCounter): void {
    const { batchable, answers } = this.model;
    if (!batchable || answers.kind === "tensors") return;
    for (let row = 0; row < rows; row += 1) counter.prediction(answers.read(outputs, firstRow + row).prediction);
  }
}

/** Some milliseconds of most models' time: a run blocks the process. */
const PART_ROWS = 1024;

/** The job itself, or jobs of at most `maxRows` of its rows. */
function parts(job: Job, maxRows: number): readonly Job[] {
  const { rows, inputs, dims } = job;
  if (rows <= maxRows) return [job];
  return Array.from({ length: Math.ceil(rows / maxRows) }, (_, index) => {
    const first = index * maxRows;
    const last = Math.min(first + maxRows, rows);
    return {
      rows: last - first,
      inputs: inputs.map((values) => values.slice((first * values.length) / rows, (last * values.length) / rows)),
      dims: dims.map((sizes) => [last - first, ...sizes.slice(1)]),
    };
  });
}
