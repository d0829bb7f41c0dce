import type { Job } from "../batching/micro-batcher.ts";
import type { Prediction } from "../model/answer.ts";
import type { ElementType, TensorSpec, TensorValues } from "../model/tensor.ts";
import type { AnsweredTensor } from "../protocol/infer.ts";

/** The first values of a tensor, in memory of their own. */
export interface CapturedTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** What a line will be made of. Until then it takes about `bytes` of memory. */
export interface CapturedPrediction {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly requestId: string;
  readonly key: string | undefined;
  readonly protocol: string;
  readonly latencyMs: number;
  /** Of the request; fewer may be captured. */
  readonly rows: number;
  readonly inputs: readonly CapturedTensor[];
  readonly outputs: CapturedOutputs;
  /** Whether the request or the answer had more values. */
  readonly truncated: boolean;
  readonly bytes: number;
}

export type CapturedOutputs =
  | { readonly predictions: readonly Prediction[] }
  | { readonly tensors: readonly CapturedTensor[] };

/** Longer texts are cut. */
const MAX_TEXT = 1024;
const BASE_BYTES = 512;
const NUMBER_BYTES = 16;

/** What a run's answer gave: predictions where the outputs have such a meaning, else the tensors. */
export type Answered =
  | { readonly predictions: readonly Prediction[] }
  | { readonly tensors: readonly AnsweredTensor[] };

/** The first `maxValues` values of all inputs together: whole rows, or of a single row that has more the first ones. */
export function captureInputs(job: Job, specs: readonly TensorSpec[], maxValues: number): CapturedTensor[] {
  const rows = job.inputs.every(({ length }) => length % job.rows === 0) ? job.rows : 1;
  const rowSize = valuesIn(job.inputs) / rows;
  const kept = Math.min(Math.floor(maxValues / rowSize), rows);
  const share = Math.max(Math.floor(maxValues / specs.length), 1);
  return specs.map(({ name, type }, index) => {
    const values = job.inputs[index] ?? [];
    const width = values.length / rows;
    const count = kept > 0 ? kept * width : Math.min(width, share);
    return { name, type, shape: job.dims[index] ?? [], values: firstOf(values, 0, count) };
  });
}

export const valuesIn = (tensors: readonly { readonly length: number }[]): number =>
  tensors.reduce((sum, { length }) => sum + length, 0);

/** The first `maxValues` values of an answer, and whether there were more. */
export function captureAnswer(answered: Answered, maxValues: number): { outputs: CapturedOutputs; truncated: boolean } {
  if ("predictions" in answered) {
    const { predictions, truncated } = capturePredictions(answered.predictions, maxValues);
    return { outputs: { predictions }, truncated };
  }
  const share = Math.max(Math.floor(maxValues / answered.tensors.length), 1);
  const tensors = answered.tensors.map(({ output: { name, type, data }, shape, first, count }) => {
    return { name, type, shape, values: firstOf(data as TensorValues, first, Math.min(count, share)) };
  });
  return { outputs: { tensors }, truncated: answered.tensors.some(({ count }) => count > share) };
}

/** Those that together have at most `maxValues` numbers or texts; of a single one that has more, the first ones. */
export function capturePredictions(
  predictions: readonly Prediction[],
  maxValues: number,
): { predictions: readonly Prediction[]; truncated: boolean } {
  const [first] = predictions;
  const isFlat = typeof first?.prediction !== "object";
  if (isFlat && (2 + classesOf(first)) * predictions.length <= maxValues) return { predictions, truncated: false };
  const budget = { left: maxValues, exceeded: false };
  return { predictions: prune(predictions, budget) as Prediction[], truncated: budget.exceeded };
}

/** A rough upper bound of what the capture keeps alive. */
export function bytesOf(inputs: readonly CapturedTensor[], outputs: CapturedOutputs): number {
  const ofOutputs =
    "tensors" in outputs
      ? tensorBytes(outputs.tensors)
      : outputs.predictions.length * (4 + classesOf(outputs.predictions[0])) * NUMBER_BYTES * 2;
  return BASE_BYTES + tensorBytes(inputs) + ofOutputs;
}

const classesOf = (prediction: Prediction | undefined): number =>
  prediction?.probabilities === undefined ? 0 : Object.keys(prediction.probabilities).length;

const tensorBytes = (tensors: readonly CapturedTensor[]): number =>
  tensors.reduce((sum, { values, type }) => {
    return sum + (type === "string" ? textBytes(values as readonly string[]) : values.length * NUMBER_BYTES);
  }, 0);

const textBytes = (values: readonly string[]): number =>
  values.reduce((sum, text) => sum + text.length * 2 + NUMBER_BYTES, 0);

/** Numbers are copied: a view would keep the whole body, or the whole run's output, alive, or lose it to another thread. */
function firstOf(values: TensorValues, first: number, count: number): TensorValues {
  if (typeof values[first] === "string") {
    return (values.slice(first, first + count) as readonly string[]).map((text) => cutText(text, MAX_TEXT));
  }
  if (Array.isArray(values) && first === 0 && count === values.length) return values as TensorValues;
  return values.slice(first, first + count);
}

/** A copy of its first `most` characters: a slice would keep the whole text alive. */
export const cutText = (text: string, most: number): string =>
  text.length <= most ? text : `${Buffer.from(text.slice(0, most), "utf16le").toString("utf16le")}…`;

/** A copy without what is beyond the budget. */
function prune(value: unknown, budget: { left: number; exceeded: boolean }): unknown {
  if (typeof value !== "object" || value === null) {
    budget.left -= 1;
    return typeof value === "string" ? cutText(value, MAX_TEXT) : value;
  }
  const kept: [string, unknown][] = [];
  // A list may be long: it is not made into entries first.
  for (const [key, child] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    if (budget.left <= 0) {
      budget.exceeded = true;
      break;
    }
    kept.push([String(key), prune(child, budget)]);
  }
  return Array.isArray(value) ? kept.map(([, child]) => child) : Object.fromEntries(kept);
}
