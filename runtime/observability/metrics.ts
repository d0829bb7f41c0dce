import type { ErrorReason } from "../http/request-error.ts";
import type { InFlight } from "../in-flight.ts";
import type { AnswerReader } from "../model/answer.ts";
import type { ServedModel } from "../served-model.ts";
import { CountedHistogram } from "./counted-histogram.ts";
import { EXPOSITION_TYPE, exposition } from "./exposition.ts";
import type { Labels, MetricFamily } from "./metric-family.ts";
import type { ProcessMetrics } from "./process-metrics.ts";

/** A model that invents labels must not fill Prometheus. */
const MAX_LABELS = 100;
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

type Families = () => Promise<MetricFamily[]>;

/** Counts in plain numbers on the hot path; they become series when somebody scrapes. */
export class RuntimeMetrics {
  readonly contentType = EXPOSITION_TYPE;
  readonly #predictions = new Map<string, number>();
  readonly #errors = new Map<ErrorReason, number>();
  readonly #latency = new CountedHistogram(SECONDS);
  readonly #queueWait = new CountedHistogram(SECONDS);
  readonly #inference = new CountedHistogram(SECONDS);
  readonly #batchRows = new CountedHistogram(BATCH_ROWS);
  readonly #inFlight: InFlight;
  readonly #gather: Families;
  readonly #parts: Families[] = [];
  #kind: AnswerReader["kind"] = "tensors";
  #served: { readonly model: ServedModel; readonly loadSeconds: number } | undefined;

  /** `share` makes the metrics of this process a part of the pod's, and returns what gathers all of these. */
  constructor(inFlight: InFlight, share: (own: Families) => Families) {
    this.#inFlight = inFlight;
    this.#gather = share(() => this.#families());
    this.add(processFamilies());
  }

  /** Has the metrics of a part that counts for itself exposed with ours. */
  add(part: Families): void {
    this.#parts.push(part);
  }

  /** Starts the series of a model; before that only those of the process are exposed. */
  serve(model: ServedModel, loadSeconds: number): void {
    this.#kind = model.model.answers.kind;
    this.#served = { model, loadSeconds };
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

  queueWait(seconds: number): void {
    this.#queueWait.observe(seconds);
  }

  inference(seconds: number): void {
    this.#inference.observe(seconds);
  }

  batch(rows: number): void {
    this.#batchRows.observe(rows);
  }

  /** The pod's exposition in Prometheus' text format. */
  async text(): Promise<string> {
    return exposition(await this.#gather());
  }

  async #families(): Promise<MetricFamily[]> {
    const parts = await Promise.all(this.#parts.map((families) => families()));
    return [...this.#ofModel(), ...parts.flat()];
  }

  #ofModel(): MetricFamily[] {
    if (this.#served === undefined) return [];
    const { model, loadSeconds } = this.#served;
    const { identity } = model;
    const version = { model_version: identity.version };
    const info = {
      model_name: identity.name,
      ...version,
      model_variant: identity.variant,
      revision: identity.revision ?? "",
      sha256: identity.sha256,
    };
    const counter = (name: string, help: string, counts: ReadonlyMap<string, number>, label: string): MetricFamily => ({
      name,
      help,
      type: "counter",
      across: "sum",
      samples: Array.from(counts, ([key, value]) => ({ labels: { ...version, [label]: key }, value })),
    });
    const histogram = (name: string, help: string, counted: CountedHistogram): MetricFamily => ({
      name,
      help,
      type: "histogram",
      across: "sum",
      samples: counted.samples(version),
    });
    const predictions = "Predictions by label (value for numbers, other beyond 100 labels)";
    const errors = "Prediction requests that were not answered 200, by reason";
    return [
      counter("ml_predictions_total", predictions, this.#predictions, "prediction"),
      counter("ml_prediction_errors_total", errors, this.#errors, "reason"),
      histogram("ml_prediction_latency_seconds", "Time from a request's headers to its answer", this.#latency),
      histogram("ml_queue_wait_seconds", "Time from a parsed request to the start of its run", this.#queueWait),
      histogram("ml_inference_seconds", "Time of one run of the model", this.#inference),
      histogram("ml_batch_rows", "Rows in one run of the model", this.#batchRows),
      gauge("ml_requests_in_flight", "Prediction requests being answered", version, this.#inFlight.count),
      gauge("ml_queue_length", "Requests that wait for a run", version, model.queueLength),
      gauge("ml_model_load_seconds", "Time from the start to readiness", version, loadSeconds, "max"),
      gauge("ml_model_info", "Always 1; the labels say what is served", info, 1, "max"),
      ...model.logMetrics(version),
    ];
  }
}

function gauge(name: string, help: string, labels: Labels, value: number, across: "sum" | "max" = "sum"): MetricFamily {
  return { name, help, type: "gauge", across, samples: [{ labels, value }] };
}

/** Those of the process. The library is loaded by the first scrape: that takes longer than a small model. */
function processFamilies(): Families {
  let started: Promise<ProcessMetrics> | undefined;
  const start = async (): Promise<ProcessMetrics> => {
    const module = await import("./process-metrics.ts");
    return new module.ProcessMetrics();
  };
  return async () => (await (started ??= start())).families();
}
