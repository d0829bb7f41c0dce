import { Counter, Gauge, Registry, collectDefaultMetrics } from "prom-client";

import type { ErrorReason } from "../http/request-error.ts";
import type { AnswerReader } from "../model/answer.ts";
import type { ServedModel } from "../served-model.ts";
import { CountedHistogram } from "./counted-histogram.ts";

/** A model that invents labels must not fill Prometheus. */
const MAX_LABELS = 100;
const LATENCY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Counts in plain numbers on the hot path; prom-client sees them when somebody scrapes. */
export class RuntimeMetrics {
  /** For parts that count for themselves. */
  readonly registry = new Registry();
  readonly #predictions = new Map<string, number>();
  readonly #errors = new Map<ErrorReason, number>();
  readonly #latency = new CountedHistogram(LATENCY_SECONDS);
  readonly #batchRows = new CountedHistogram(BATCH_ROWS);
  #kind: AnswerReader["kind"] = "tensors";
  #modelVersion: string | undefined;
  inFlight = 0;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#watch("ml_requests_in_flight", "Prediction requests being answered", () => this.inFlight);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Starts the series of a model; before that only the process's own are exposed. */
  serve(served: ServedModel, loadSeconds: number): void {
    this.#kind = served.model.answers.kind;
    const { identity } = served;
    const registers = [this.registry];
    const model_version = identity.version;
    this.#modelVersion = model_version;
    const predictions = new Counter({
      name: "ml_predictions_total",
      help: "Predictions by label (value for numbers, other beyond 100 labels)",
      labelNames: ["model_version", "prediction"],
      registers,
      collect: () =>
        drain(this.#predictions, (prediction, count) => predictions.inc({ model_version, prediction }, count)),
    });
    const errors = new Counter({
      name: "ml_prediction_errors_total",
      help: "Prediction requests that were not answered 200, by reason",
      labelNames: ["model_version", "reason"],
      registers,
      collect: () => drain(this.#errors, (reason, count) => errors.inc({ model_version, reason }, count)),
    });
    this.#watch("ml_queue_length", "Requests that wait for a run", () => served.queueLength);
    new Gauge({ name: "ml_model_load_seconds", help: "Time from the start to readiness", registers }).set(loadSeconds);
    new Gauge({
      name: "ml_model_info",
      help: "Always 1; the labels say what is served",
      labelNames: ["model_name", "model_version", "model_variant", "revision", "sha256"],
      registers,
    }).set(
      {
        model_name: identity.name,
        model_version,
        model_variant: identity.variant,
        revision: identity.revision ?? "",
        sha256: identity.sha256,
      },
      1,
    );
  }

  prediction(value: unknown): void {
    const label = this.#kind === "classification" ? String(value) : "value";
    const known = this.#predictions.get(label);
    if (known !== undefined) this.#predictions.set(label, known + 1);
    else if (this.#predictions.size < MAX_LABELS) this.#predictions.set(label, 1);
    else this.#predictions.set("other", (this.#predictions.get("other") ?? 0) + 1);
  }

  error(reason: ErrorReason): void {
    this.#errors.set(reason, (this.#errors.get(reason) ?? 0) + 1);
  }

  latency(seconds: number): void {
    this.#latency.observe(seconds);
  }

  batch(rows: number): void {
    this.#batchRows.observe(rows);
  }

  /** The exposition in Prometheus' text format. */
  async text(): Promise<string> {
    const text = await this.registry.metrics();
    if (this.#modelVersion === undefined) return text;
    const labels = { model_version: this.#modelVersion };
    const latency = {
      name: "ml_prediction_latency_seconds",
      help: "Time from a request's headers to its answer",
      labels,
    };
    const batchRows = { name: "ml_batch_rows", help: "Rows in one run of the model", labels };
    return text + this.#latency.text(latency) + this.#batchRows.text(batchRows);
  }

  #watch(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }
}

/** Hands over what was counted since the last scrape. Keys stay, so that the bound on them holds for ever. */
function drain<Key>(counts: Map<Key, number>, add: (key: Key, count: number) => void): void {
  for (const [key, count] of counts) {
    add(key, count);
    counts.set(key, 0);
  }
}
