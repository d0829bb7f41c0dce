import type { AnswerReader } from "./answer.ts";
import type { ClassLabel, Metadata } from "./metadata-schema.ts";
import { elementCount, jsonElement } from "./tensor.ts";
import type { OutputTensor } from "./tensor.ts";

type Activation = NonNullable<NonNullable<Metadata["output"]>["activation"]>;

export interface ClassifierOutputs {
  /** In the order of the scores; undefined when nobody named them. */
  readonly classes: readonly ClassLabel[] | undefined;
  /** Index of the output with the model's own label; -1 when there is none. */
  readonly label: number;
  /** Index of the output with one score for each class, or one for the second of two. */
  readonly scores: number;
  readonly activation: Activation;
  /** Overrules the model's own label. */
  readonly threshold: number | undefined;
}

/** Answers with the label and the probabilities. A row with a score that is no number has no prediction. */
export function classifier({ classes, label, scores, activation, threshold }: ClassifierOutputs): AnswerReader {
  const names = classes?.map(String);
  const ownLabel = label >= 0 && threshold === undefined ? labeller(classes, label).prediction : undefined;
  const sharesOf = (outputs: readonly OutputTensor[], row: number): number[] =>
    probabilities(outputs[scores] as OutputTensor, row, activation);
  const bestClass = (best: number): ClassLabel | null => classes?.[best] ?? null;
  return {
    kind: "classification",
    read(outputs, row) {
      const shares = sharesOf(outputs, row);
      const best = bestOf(shares, threshold);
      return {
        prediction: ownLabel ? ownLabel(outputs, row) : bestClass(best),
        probability: finite(shares.length === 2 ? shares[1] : shares[Math.max(best, 0)]),
        probabilities: names ? byName(names, shares) : shares.map(finite),
      };
    },
    prediction: ownLabel ?? ((outputs, row) => bestClass(bestOf(sharesOf(outputs, row), threshold))),
  };
}

function byName(names: readonly string[], shares: readonly number[]): Record<string, number | null> {
  const named: Record<string, number | null> = {};
  names.forEach((name, index) => {
    named[name] = finite(shares[index]);
  });
  return named;
}

/** Answers with the model's own label alone. */
export function labeller(classes: readonly ClassLabel[] | undefined, label: number): AnswerReader {
  const prediction: AnswerReader["prediction"] = (outputs, row) => classLabel(outputs[label], row, classes);
  return { kind: "classification", read: (outputs, row) => ({ prediction: prediction(outputs, row) }), prediction };
}

/** A label is a class itself, or its position among the classes. */
function classLabel(
  output: OutputTensor | undefined,
  row: number,
  classes: readonly ClassLabel[] | undefined,
): unknown {
  const value = output?.data[row];
  if (output === undefined || value === undefined) return null;
  const label = jsonElement(value, output.type);
  if (classes === undefined || typeof label !== "number" || classes.includes(label)) return label;
  return classes[label] ?? label;
}

/** Of one row, one for each class. */
function probabilities({ data, dims }: OutputTensor, row: number, activation: Activation): number[] {
  const width = dims.length === 2 ? (dims[1] as number) : elementCount(dims.slice(1));
  const scores: number[] = [];
  for (let index = 0; index < width; index += 1) {
    scores.push(activate(data[row * width + index] as number, activation));
  }
  if (width === 1) return [1 - (scores[0] as number), ...scores];
  return activation === "softmax" ? softmax(scores) : scores;
}

const activate = (score: number, activation: Activation): number =>
  activation === "sigmoid" ? 1 / (1 + Math.exp(-score)) : score;

function softmax(scores: readonly number[]): number[] {
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = scores.map((score) => Math.exp(score - most)); // at most 1, where e^score may be infinite
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** Position of the predicted class; -1 when a share is NaN. */
function bestOf(shares: readonly number[], threshold: number | undefined): number {
  let best = 0;
  for (let index = 0; index < shares.length; index += 1) {
    const share = shares[index] as number;
    if (Number.isNaN(share)) return -1;
    if (share > (shares[best] as number)) best = index;
  }
  return threshold === undefined ? best : Number((shares[1] as number) >= threshold);
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
