import { MicroBatcher } from "./batching/micro-batcher.ts";
import type { BatcherOptions, Caller, Job } from "./batching/micro-batcher.ts";
import type { Prediction } from "./model/answer.ts";
import type { Model } from "./model/model.ts";
import type { Labels, MetricFamily } from "./observability/metric-family.ts";
import { InferWriter } from "./protocol/infer-answer.ts";
import { answeredTensors, readJob } from "./protocol/infer.ts";
import type { AnsweredTensor, InferRequest } from "./protocol/infer.ts";
import { KnownInfer } from "./protocol/known-infer.ts";
import type { Origin, PredictionLog } from "./prediction-log/prediction-log.ts";
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
export interface ServingOptions extends Omit<BatcherOptions, "batchable" | "fixedRows"> {
  readonly log?: PredictionLog | undefined;
}

/** Who waits for an answer, and what the prediction log says of them. */
export interface Asker extends Caller, Origin {}

export interface PredictionCounter {
  prediction(value: unknown): void;
}

/** What the v2 protocol asks. */
export interface Inference {
  readonly job: Job;
  /** Of the outputs to answer, in this order; all of them when undefined. */
  readonly names: readonly string[] | undefined;
  readonly counter: PredictionCounter;
  readonly asker: Asker;
}

/** The loaded model together with its queue. */
export class ServedModel {
  readonly model: Model;
  readonly identity: ModelIdentity;
  readonly loadedAt: Date;
  /** Reads /predict bodies; undefined when the model has no named fields. */
  readonly rows: RowReader | undefined;
  /** Reads bodies of v2 that differ from an earlier one in their numbers only. */
  readonly known: KnownInfer;
  /** Writes the answers of v2. */
  readonly writer: InferWriter;
  readonly #batcher: MicroBatcher;
  readonly #log: PredictionLog | undefined;

  constructor(model: Model, identity: ModelIdentity, loadedAt: Date, options: ServingOptions) {
    this.model = model;
    this.identity = identity;
    this.loadedAt = loadedAt;
    this.rows = model.features && new RowReader(model.features, model.pipeline.inputs);
    this.known = new KnownInfer(model.pipeline);
    this.writer = new InferWriter(identity, model.pipeline.outputs);
    const { batchable, fixedRows } = model;
    const maxRows = fixedRows ?? options.maxRows;
    this.#log = options.log;
    this.#batcher = new MicroBatcher(model.pipeline, { ...options, maxRows, batchable, fixedRows });
  }

  get queueLength(): number {
    return this.#batcher.queueLength;
  }

  /** Of the prediction log, where there is one. */
  logMetrics(labels: Labels): MetricFamily[] {
    return this.#log?.metrics(labels) ?? [];
  }

  /** Ends what the model runs in and what it logs to, after the last request. */
  async close(): Promise<void> {
    await this.#log?.close();
    await this.model.pipeline.close();
  }

  /** The rows of a request of the v2 protocol. Throws an InferError when it does not fit the model. */
  job(request: InferRequest): Job {
    return readJob(request, this.model.pipeline, this.model.batchable);
  }

  /** What the v2 protocol asks, whole and in one run. Resolves with what `write` makes of the outputs. */
  infer<T>({ job, names, counter, asker }: Inference, write: (tensors: AnsweredTensor[]) => T): Promise<T> {
    const { pipeline, batchable, answers } = this.model;
    const log = this.#log?.open(job, pipeline.inputs, asker);
    return this.#batcher.submit(job, asker, (answered) => {
      const { outputs, firstRow } = answered;
      const tensors = answeredTensors(answered, job.rows, names, batchable);
      const hasMeaning = batchable && answers.kind !== "tensors";
      const predictions: Prediction[] = [];
      const end = hasMeaning ? firstRow + job.rows : firstRow;
      for (let row = firstRow; row < end; row += 1) {
        counter.prediction(answers.prediction(outputs, row));
        if (log) predictions.push(answers.read(outputs, row));
      }
      log?.(hasMeaning ? { predictions } : { tensors });
      return write(tensors);
    });
  }

  /** One prediction for each row. The parts of a long request are run one by one, so that others get their turn between. */
  async predict(job: Job, asker: Asker): Promise<Prediction[]> {
    const log = this.#log?.open(job, this.model.pipeline.inputs, asker);
    const predictions: Prediction[] = [];
    for (const part of parts(job, this.model.batchable ? (this.model.fixedRows ?? PART_ROWS) : 1)) {
      await this.#batcher.submit(part, asker, ({ outputs, firstRow }) => {
        for (let row = 0; row < part.rows; row += 1) predictions.push(this.model.answers.read(outputs, firstRow + row));
      });
    }
    log?.({ predictions });
    return predictions;
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
