import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

import type { PredictionRecord, RefusedId } from "./prediction-id.ts";

export type RefusedFeedback = RefusedId | "mismatch" | "duplicate" | "too_many_versions";

/** Ids are the clients': without a key, anybody could fill Prometheus with versions. */
const MAX_VERSIONS = 20;

interface Window {
  /** By request id and row, oldest first: 1 or 0 for a class that was right or wrong, the error of a number. */
  readonly entries: Map<string, number>;
  sum: number;
  sumOfSquares: number;
}

/** How good the predictions turned out to be, by version, over the last `windowSize` truths of each. */
export class Quality {
  readonly #windowSize: number;
  readonly #windows = { classification: new Map<string, Window>(), regression: new Map<string, Window>() };
  readonly #counted: Counter<"model_version" | "result">;
  readonly #refused: Counter<"reason">;

  constructor(windowSize: number, register: Registry) {
    this.#windowSize = windowSize;
    const registers = [register];
    const labelNames = ["model_version"] as const;
    this.#counted = new Counter({
      name: "ml_feedback_total",
      help: "Truths that were compared with a prediction: correct, incorrect, or number",
      labelNames: ["model_version", "result"],
      registers,
    });
    this.#refused = new Counter({
      name: "ml_feedback_refused_total",
      help: "Feedback that was not counted, by reason",
      labelNames: ["reason"],
      registers,
    });
    const gauge = (
      name: string,
      help: string,
      kind: PredictionRecord["kind"],
      read: (window: Window) => number,
    ): void => {
      const made: Gauge<"model_version"> = new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect: () => {
          for (const [model_version, window] of this.#windows[kind]) made.set({ model_version }, read(window));
        },
      });
    };
    const over = `over the last ${windowSize} truths`;
    gauge("ml_model_accuracy", `Share of predictions that were right ${over}`, "classification", mean);
    gauge("ml_model_mae", `Mean absolute error ${over}`, "regression", mean);
    gauge("ml_model_rmse", `Root mean squared error ${over}`, "regression", ({ sumOfSquares, entries }) =>
      Math.sqrt(Math.max(sumOfSquares, 0) / entries.size),
    );
  }

  refuse(reason: RefusedFeedback): void {
    this.#refused.inc({ reason });
  }

  /** Undefined when the truth was counted. */
  add(id: string, record: PredictionRecord, truth: unknown): RefusedFeedback | undefined {
    const { version, kind, predictions } = record;
    const truths = predictions.length === 1 && !Array.isArray(truth) ? [truth] : truth;
    if (!Array.isArray(truths) || truths.length !== predictions.length) return "mismatch";
    const scores = predictions.map((prediction, row) => score(kind, prediction, truths[row]));
    if (scores.includes(undefined)) return "mismatch";
    const window = this.#windowOf(version, kind);
    if (window === undefined) return "too_many_versions";
    if (window.entries.has(`${id} 0`)) return "duplicate";
    (scores as number[]).forEach((value, row) => {
      this.#push(window, `${id} ${row}`, value);
      const result = kind === "regression" ? "number" : value === 1 ? "correct" : "incorrect";
      this.#counted.inc({ model_version: version, result });
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
