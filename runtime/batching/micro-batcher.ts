import { mapped } from "../mapped.ts";
import { concatenate, rowSize } from "../model/tensor.ts";
import type { OutputTensor, TensorValues } from "../model/tensor.ts";
import type { Pipeline } from "../model/pipeline.ts";
import type { Feeds } from "../model/session.ts";

/** The validated rows of one request. */
export interface Job {
  readonly rows: number;
  /** Per pipeline input, its elements, row-major. */
  readonly inputs: readonly TensorValues[];
  /** Per pipeline input, its dimensions, the first of which is `rows` if the model is batchable. */
  readonly dims: readonly (readonly number[])[];
}

/** Where a job's rows are in the outputs of the run that it shared. */
export interface JobOutputs {
  readonly outputs: readonly OutputTensor[];
  readonly firstRow: number;
}

export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

/** Whoever asked is gone; nobody is left to answer. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}

/** Who waits for a job's answer. */
export interface Caller {
  /** On the batcher's clock: when a run would come too late. */
  readonly deadline?: number | undefined;
  /** Asked when a run is about to begin. */
  readonly isGone?: () => boolean;
}

export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

export interface BatcherOptions {
  readonly batchable: boolean;
  /** The rows of every run when the graph fixes them; fewer are filled up with copies of the last. */
  readonly fixedRows?: number | undefined;
  /** Most rows in one run, unless a single job has more. */
  readonly maxRows: number;
  /** Most jobs waiting for a run. */
  readonly maxQueue: number;
  /** Longest wait for a run, in milliseconds. */
  readonly maxWait: number;
  /** How long the first job waits for company, in milliseconds, unless `maxRows` are there before. */
  readonly maxDelay: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onRun: (rows: number) => void;
  /** How long the run took, in milliseconds; also of one that failed. */
  readonly onRan: (milliseconds: number) => void;
  /** How long a job waited for its run, in milliseconds. */
  readonly onWait: (milliseconds: number) => void;
}

interface Waiting {
  readonly job: Job;
  /** Jobs of one key differ in their number of rows only. */
  readonly key: string;
  readonly since: number;
  readonly deadline: number;
  readonly isGone: (() => boolean) | undefined;
  readonly answer: (outputs: JobOutputs) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the jobs that arrive in one turn of the event loop, or while another run computes, into one run.
 * Unless there is a `maxDelay`, no job waits for company: the first starts a run as soon as the turn's other requests are
 * parsed, or at once when the turn before brought no other. A job whose caller is gone, or whose deadline is past, leaves
 * the queue when the next run begins.
 */
export class MicroBatcher {
  readonly #pipeline: Pipeline;
  readonly #options: BatcherOptions;
  /** Whether all jobs of this model can share a run: the graph leaves no dimension open but the rows. */
  readonly #isUniform: boolean;
  #waiting: Waiting[] = [];
  #running = false;
  /** Whether the last turn brought a single job: the next will hardly find company either. */
  #isQuiet = false;
  #delay: NodeJS.Timeout | undefined;

  constructor(pipeline: Pipeline, options: BatcherOptions) {
    this.#pipeline = pipeline;
    this.#options = options;
    this.#isUniform = pipeline.inputs.every((input) => input.shape !== undefined && rowSize(input) !== undefined);
  }

  get queueLength(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves with what `read` makes of the job's outputs. Rejects with QueueFullError, DeadlineError, CancelledError, the
   * model's own error for these rows, or what `read` throws.
   */
  submit<T>(job: Job, { deadline, isGone }: Caller, read: (outputs: JobOutputs) => T): Promise<T> {
    if (this.#waiting.length >= this.#options.maxQueue) {
      return Promise.reject(new QueueFullError(`${this.#waiting.length} predictions are waiting already`));
    }
    return new Promise((resolve, reject) => {
      const key = this.#options.batchable && !this.#isUniform ? batchKey(job) : "";
      const since = this.#options.now();
      const latest = Math.min(deadline ?? Number.POSITIVE_INFINITY, since + this.#options.maxWait);
      const answer = (outputs: JobOutputs): void => {
        try {
          resolve(read(outputs));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ job, key, since, deadline: latest, isGone, answer, reject });
      if (!this.#running) this.#schedule();
    });
  }

  #schedule(): void {
    const { maxDelay, maxRows } = this.#options;
    const isFull = (): boolean => this.#waiting.reduce((rows, { job }) => rows + job.rows, 0) >= maxRows;
    if (maxDelay > 0 && !isFull()) {
      this.#delay ??= setTimeout(() => this.#start(), maxDelay);
      return;
    }
    clearTimeout(this.#delay);
    this.#start();
  }

  #start(): void {
    this.#delay = undefined;
    this.#running = true;
    if (this.#isQuiet) void this.#runAtOnce();
    else setImmediate(this.#runGathered);
  }

  /** What else the turn brings gathers meanwhile. */
  async #runAtOnce(): Promise<void> {
    await this.#runBatch(this.#takeBatch());
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#isQuiet = this.#waiting.length === 0;
    if (this.#isQuiet) this.#running = false;
    else void this.#runAll();
  };

  readonly #runGathered = (): void => {
    this.#isQuiet = this.#waiting.length === 1;
    void this.#runAll();
  };

  async #runAll(): Promise<void> {
    await this.#runBatch(this.#takeBatch());
    if (this.#waiting.length > 0) setImmediate(this.#runGathered); // others get their turn between two runs
    else this.#running = false;
  }

  /** The oldest job and those that can share its run; those that waited too long or in vain leave. */
  #takeBatch(): Waiting[] {
    const { batchable, maxRows, now, onWait } = this.#options;
    const moment = now();
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    let rows = 0;
    for (const waiting of this.#waiting) {
      const [first] = batch;
      if (waiting.isGone?.()) {
        waiting.reject(new CancelledError("the caller is gone"));
      } else if (waiting.deadline < moment) {
        waiting.reject(new DeadlineError("no run began before the deadline"));
      } else if (
        first === undefined ||
        (batchable && waiting.key === first.key && rows + waiting.job.rows <= maxRows)
      ) {
        batch.push(waiting);
        onWait(moment - waiting.since);
        rows += waiting.job.rows;
      } else {
        rest.push(waiting);
      }
    }
    this.#waiting = rest;
    return batch;
  }

  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const jobs = mapped(batch, ({ job }) => job);
      const rows = jobs.reduce((sum, job) => sum + job.rows, 0);
      this.#options.onRun(rows);
      const outputs = await this.#run(this.#feeds(jobs, rows));
      let firstRow = 0;
      for (const { job, answer } of batch) {
        answer({ outputs, firstRow });
        firstRow += job.rows;
      }
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      else for (const waiting of batch) await this.#runBatch([waiting]); // one job's rows must not fail its neighbours'
    }
  }

  async #run(feeds: Feeds): Promise<OutputTensor[]> {
    const { now, onRan } = this.#options;
    const began = now();
    try {
      return await this.#pipeline.run(feeds);
    } finally {
      onRan(now() - began);
    }
  }

  #feeds(jobs: readonly Job[], rows: number): Feeds {
    const feeds: Record<string, Feeds[string]> = {};
    const filler = Math.max((this.#options.fixedRows ?? 0) - rows, 0);
    this.#pipeline.inputs.forEach((input, index) => {
      const dims = jobs[0]?.dims[index] ?? [];
      const batchDims = this.#options.batchable ? [rows + filler, ...dims.slice(1)] : dims;
      const parts = mapped(jobs, (job) => job.inputs[index] ?? []);
      if (filler > 0) parts.push(...Array<TensorValues>(filler).fill(lastRow(jobs.at(-1), index)));
      feeds[input.name] = concatenate(input.type, batchDims, parts);
    });
    return feeds;
  }
}

function lastRow(job: Job | undefined, input: number): TensorValues {
  const values = job?.inputs[input] ?? [];
  return values.slice(values.length - values.length / (job?.rows ?? 1));
}

const batchKey = (job: Job): string => job.dims.map((dims) => dims.slice(1).join("x")).join();
