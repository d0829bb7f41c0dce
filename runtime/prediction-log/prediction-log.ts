import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

import type { Logger } from "pino";

import type { Job } from "../batching/micro-batcher.ts";
import type { TensorSpec } from "../model/tensor.ts";
import type { Labels, MetricFamily } from "../observability/metric-family.ts";
import { bytesOf, captureAnswer, captureInputs, cutText, valuesIn } from "./captured.ts";
import type { Answered, CapturedPrediction } from "./captured.ts";
import type { LineWriter } from "./line-writer.ts";
import { isSampled } from "./sampling.ts";
import type { Sink } from "./sink.ts";

/** Lines made in one go: more would delay the requests that come meanwhile. */
const LINES_AT_ONCE = 128;
/** How long a few lines wait for others: a write for each of them would cost more than they do. */
const LINGER_MS = 20;
const MAX_KEY = 256;
/** How long what is queued may take to be written after the last request. */
const FLUSH_MS = 5_000;
/** A sink that fails is no news a second time. */
const COMPLAIN_EVERY_MS = 60_000;

/** What is known of a request besides its rows. */
export interface Origin {
  readonly requestId: string;
  readonly protocol: string;
  /** On the monotonic clock, in milliseconds. */
  readonly began: number;
  /** The value of a header, by its name in lower case. */
  readonly header: (name: string) => string | readonly string[] | undefined;
}

export interface PredictionLogOptions {
  readonly sink: Sink;
  readonly writer: LineWriter;
  /** Share of the requests, 0 to 1. */
  readonly sample: number;
  /** The header that names the user, in lower case. */
  readonly keyHeader: string | undefined;
  readonly maxValues: number;
  readonly maxQueue: number;
  readonly maxQueueBytes: number;
  readonly logger: Logger;
}

/** To be called with what was answered, if anything was. */
export type CloseEntry = (answered: Answered) => void;

const DROP_REASONS = ["queue_full", "sink", "shutdown", "internal"] as const;
type DropReason = (typeof DROP_REASONS)[number];

/**
 * Lines wait in a bounded queue and are made and written between requests. Nothing ever waits for the log: what finds no
 * room, and what the sink does not take, is dropped and counted.
 */
export class PredictionLog {
  readonly #options: PredictionLogOptions;
  #written = 0;
  readonly #dropped: Record<DropReason, number> = { queue_full: 0, sink: 0, shutdown: 0, internal: 0 };
  #queue: CapturedPrediction[] = [];
  #queuedBytes = 0;
  #drain: Promise<void> | undefined;
  #closed = false;
  /** Set when the time to write what is queued is over. */
  #hurried = false;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PredictionLogOptions) {
    this.#options = options;
  }

  metrics(labels: Labels): MetricFamily[] {
    const dropped = Object.entries(this.#dropped);
    return [
      {
        name: "ml_prediction_log_written_total",
        help: "Lines of the prediction log that reached the sink",
        type: "counter",
        across: "sum",
        samples: [{ labels, value: this.#written }],
      },
      {
        name: "ml_prediction_log_dropped_total",
        help: `Lines of the prediction log that were lost: ${DROP_REASONS.join(", ")}`,
        type: "counter",
        across: "sum",
        samples: dropped.map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      },
    ];
  }

  /** Undefined when the request is not logged. To be called before the job runs: a run may take its memory. */
  open(job: Job, specs: readonly TensorSpec[], origin: Origin): CloseEntry | undefined {
    const { sample, maxValues, keyHeader } = this.#options;
    if (this.#closed || !isSampled(origin.requestId, sample)) return undefined;
    const inputs = this.#hasRoom() ? captureInputs(job, specs, maxValues) : [];
    const isCut = valuesIn(inputs.map(({ values }) => values)) < valuesIn(job.inputs);
    return (answered) => {
      if (!this.#hasRoom() || inputs.length === 0) {
        this.#dropped.queue_full += 1;
        return;
      }
      const { outputs, truncated } = captureAnswer(answered, maxValues);
      this.#add({
        at: Date.now(),
        requestId: origin.requestId,
        key: keyHeader === undefined ? undefined : keyOf(origin.header(keyHeader)),
        protocol: origin.protocol,
        latencyMs: performance.now() - origin.began,
        rows: job.rows,
        inputs,
        outputs,
        truncated: truncated || isCut,
        bytes: bytesOf(inputs, outputs),
      });
    };
  }

  /** Writes what is queued, within seconds. Nothing is logged afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    const timer = setTimeout(() => {
      this.#hurried = true;
      void this.#options.sink.close();
    }, FLUSH_MS);
    await this.#drain;
    clearTimeout(timer);
    await this.#options.sink.close();
  }

  #hasRoom(): boolean {
    const { maxQueue, maxQueueBytes } = this.#options;
    return this.#queue.length < maxQueue && this.#queuedBytes < maxQueueBytes;
  }

  #add(captured: CapturedPrediction): void {
    this.#queue.push(captured);
    this.#queuedBytes += captured.bytes;
    this.#drain ??= this.#drainQueue();
  }

  async #drainQueue(): Promise<void> {
    while (this.#queue.length > 0) {
      const isWorthIt = this.#queue.length >= LINES_AT_ONCE || this.#closed;
      await (isWorthIt ? nextTurn() : delay(LINGER_MS));
      await this.#writeSome();
    }
    this.#drain = undefined;
  }

  async #writeSome(): Promise<void> {
    const { sink, writer } = this.#options;
    const some = this.#queue.splice(0, this.#hurried ? this.#queue.length : LINES_AT_ONCE);
    for (const { bytes } of some) this.#queuedBytes -= bytes;
    if (this.#hurried) {
      this.#lose("shutdown", some.length, new Error(`not written within ${FLUSH_MS} ms of the last request`));
      return;
    }
    try {
      const { written, error } = await sink.write(some.map((captured) => writer.write(captured, sink.maxLineBytes)));
      this.#written += written;
      if (error) this.#lose(this.#hurried ? "shutdown" : "sink", some.length - written, error);
    } catch (error) {
      this.#lose("internal", some.length, error as Error); // a mistake of ours here must not end the process
    }
  }

  #lose(reason: DropReason, lines: number, error: Error): void {
    this.#dropped[reason] += lines;
    const now = performance.now();
    if (reason !== "shutdown" && now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    const message = "lines of the prediction log are lost; ml_prediction_log_dropped_total counts them";
    this.#options.logger.warn({ reason, lines, error: error.message }, message);
  }
}

function keyOf(header: string | readonly string[] | undefined): string | undefined {
  const key = typeof header === "object" ? header.join() : header;
  return key ? cutText(key, MAX_KEY) : undefined;
}
