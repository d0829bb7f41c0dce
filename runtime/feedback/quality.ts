import type { MetricFamily, Sample } from "../observability/metric-family.ts";
import type { PredictionRecord, RefusedId } from "./prediction-id.ts";

export type RefusedFeedback = RefusedId | "mismatch" | "duplicate" | "too_many_versions";

/** What somebody says was true, of the answer with this id. */
export interface Feedback {
  readonly id: string;
  /** What the id says, or why it says nothing. */
  readonly record: PredictionRecord | RefusedId;
  readonly truth: unknown;
}

/** Why each was refused, in their order; undefined for those that were counted. */
export type CountFeedback = (feedback: readonly Feedback[]) => Promise<(RefusedFeedback | undefined)[]>;

/** Ids are the clients': without a key, anybody could fill Prometheus with versions. */
const MAX_VERSIONS = 20;

interface Window {
  /** By request id and row, oldest first: 1 or 0 for a class that was right or wrong, the error of a number. */
  readonly entries: Map<string, number>;
  sum: number;
  sumOfSquares: number;
}

type Result = "correct" | "incorrect" | "number";

/** How good the predictions turned out to be, by version, over the last `windowSize` truths of each. */
export class Quality {
  readonly #windowSize: number;
  readonly #windows = { classification: new Map<string, Window>(), regression: new Map<string, Window>() };
  readonly #counted = new Map<string, Map<Result, number>>();
  readonly #refused = new Map<RefusedFeedback, number>();

  constructor(windowSize: number) {
    this.#windowSize = windowSize;
  }

  /** Why it was refused; undefined when it was counted. */
  count({ id, record, truth }: Feedback): RefusedFeedback | undefined {
    const refused = typeof record === "string" ? record : this.#add(id, record, truth);
    if (refused) increase(this.#refused, refused);
    return refused;
  }

  families(): MetricFamily[] {
    const over = `over the last ${this.#windowSize} truths`;
    const gauge = (
      name: string,
      help: string,
      kind: PredictionRecord["kind"],
      read: (window: Window) => number,
    ): MetricFamily => ({
      name,
      help,
      type: "gauge",
      across: "sum", // one Quality counts for all processes of a pod
      samples: Array.from(this.#windows[kind], ([model_version, window]) => ({
        labels: { model_version },
        value: read(window),
      })),
    });
    const counter = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
      name,
      help,
      type: "counter",
      across: "sum",
      samples,
    });
    const counted = Array.from(this.#counted, ([model_version, results]) =>
      Array.from(results, ([result, value]) => ({ labels: { model_version, result }, value })),
    ).flat();
    const refused = Array.from(this.#refused, ([reason, value]) => ({ labels: { reason }, value }));
    return [
      counter(
        "ml_feedback_total",
        "Truths that were compared with a prediction: correct, incorrect, or number",
        counted,
      ),
      counter("ml_feedback_refused_total", "Feedback that was not counted, by reason", refused),
      gauge("ml_model_accuracy", `Share of predictions that were right ${over}`, "classification", mean),
      gauge("ml_model_mae", `Mean absolute error ${over}`, "regression", mean),
      gauge("ml_model_rmse", `Root mean squared error ${over}`, "regression", ({ sumOfSquares, entries }) =>
        Math.sqrt(Math.max(sumOfSquares, 0) / entries.size),
      ),
    ];
  }

  #add(id: string, record: PredictionRecord, truth: unknown): RefusedFeedback | undefined {
    const { version, kind, predictions } = record;
    const truths = predictions.length === 1 && !Array.isArray(truth) ? [truth] : truth;
    if (!Array.isArray(truths) || truths.length !== predictions.length) return "mismatch";
    const scores = predictions.map((prediction, row) => score(kind, prediction, truths[row]));
    if (scores.includes(undefined)) return "mismatch";
    const window = this.#windowOf(version, kind);
    if (window === undefined) return "too_many_versions";
    if (window.entries.has(`${id} 0`)) return "duplicate";
    const results = this.#counted.get(version) ?? new Map<Result, number>();
    this.#counted.set(version, results);
    (scores as number[]).forEach((value, row) => {
      this.#push(window, `${id} ${row}`, value);
      increase(results, kind === "regression" ? "number" : value === 1 ? "correct" : "incorrect");
    });
    return undefined;
  }

  #windowOf(version: string, kind: PredictionRecord["kind"]): Window | undefined {
    const windows = this.#windows[kind];
    const known = windows.get(version);
    if (known || windows.size >= MAX_VERSIONS) return known;
    const window: Window = { entries: new Map(), sum: 0, sumOfSquares: 0 };
    windows.set(version, window);
    return window;
  }

  #push(window: Window, key: string, value: number): void {
    window.entries.set(key, value);
    window.sum += value;
    window.sumOfSquares += value ** 2;
    if (window.entries.size <= this.#windowSize) return;
    const [oldest, gone] = window.entries.entries().next().value as [string, number];
    window.entries.delete(oldest);
    window.sum -= gone;
    window.sumOfSquares -= gone ** 2;
  }
}

function increase<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const mean = ({ sum, entries }: Window): number => sum / entries.size;

/** Undefined when the truth cannot be compared with the prediction. */
function score(kind: PredictionRecord["kind"], prediction: unknown, truth: unknown): number | undefined {
  if (kind === "regression") {
    const isComparable = typeof prediction === "number" && typeof truth === "number";
    return isComparable ? Math.abs(prediction - truth) : undefined;
  }
  if (!["string", "number", "boolean"].includes(typeof truth)) return undefined;
  return String(prediction) === String(truth) ? 1 : 0;
}
