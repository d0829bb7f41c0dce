import { LoadError } from "../load-error.ts";
import type { ClassLabel, Metadata } from "./metadata.ts";
import { elementCount, isFloatType, isIntegerType, jsonElement } from "./tensor.ts";
import type { OutputTensor, TensorSpec } from "./tensor.ts";

/** What /predict says about one row. */
export interface Prediction {
  /** The class label, the number, or (for other models) the outputs themselves. */
  readonly prediction: unknown;
  /** Of the second class when there are two, else of the predicted one. */
  readonly probability?: number | null;
  /** By class label; in the model's own order when metadata.json names no classes. */
  readonly probabilities?: Readonly<Record<string, number | null>> | readonly (number | null)[];
}

/** Reads the answer for one row out of a run's outputs. */
export interface AnswerReader {
  readonly kind: "classification" | "regression" | "tensors";
  read(outputs: readonly OutputTensor[], row: number): Prediction;
}

/**
 * Finds out what the outputs mean. `sample` is what one made-up row gave, where known.
 * Throws a LoadError when the outputs are not what metadata.json announces.
 */
export function answerReader(
  metadata: Metadata,
  outputs: readonly TensorSpec[],
  otherOutputs: readonly string[],
  sample: readonly OutputTensor[] | undefined,
  source: string,
): AnswerReader {
  const width = (index: number): number | undefined => {
    const dims = sample?.[index]?.dims ?? outputs[index]?.shape;
    return dims && elementCount(dims.slice(1));
  };
  const label = outputs.findIndex(
    ({ type }, index) => (isIntegerType(type) || type === "string") && width(index) === 1,
  );
  const scores = outputs.findIndex(({ type }) => isFloatType(type));

  if (label >= 0 && scores < 0 && otherOutputs.length > 0) throw zipMap(otherOutputs, source);
  const scored = width(scores);
  const isClassifier = metadata.task ? /classif/i.test(metadata.task) : label >= 0 || metadata.classes !== undefined;
  if (isClassifier && scores >= 0 && scored !== undefined && scored >= 1) {
    const classes = metadata.classes ?? (label >= 0 ? undefined : numbered(Math.max(scored, 2)));
    if (classes && classes.length !== scored && !(classes.length === 2 && scored === 1)) {
      throw new LoadError(
        "SignatureMismatch",
        `loading ${source}: metadata.json has ${classes.length} classes (${classes.slice(0, 20).join(", ")}), but the model gives ${scored} probabilities (${outputs[scores]?.name}); export both from the same training run`,
      );
    }
    return classifier(classes, label, scores);
  }
  if (isClassifier && label >= 0) return labeller(metadata.classes, label);
  if (outputs.length === 1 && scores === 0 && scored === 1) {
    return { kind: "regression", read: ([output], row) => ({ prediction: output ? finite(output.data[row]) : null }) };
  }
  return { kind: "tensors", read: rawOutputs };
}

function classifier(classes: readonly ClassLabel[] | undefined, label: number, scores: number): AnswerReader {
  return {
    kind: "classification",
    read(outputs, row) {
      const shares = rowScores(outputs[scores] as OutputTensor, row);
      const best = Math.max(shares.indexOf(Math.max(...shares)), 0);
      return {
        prediction: label >= 0 ? classLabel(outputs[label], row, classes) : classes?.[best],
        probability: finite(shares.length === 2 ? shares[1] : shares[best]),
        probabilities: classes
          ? Object.fromEntries(classes.map((name, index) => [String(name), finite(shares[index])]))
          : shares.map(finite),
      };
    },
  };
}

function labeller(classes: readonly ClassLabel[] | undefined, label: number): AnswerReader {
  return { kind: "classification", read: (outputs, row) => ({ prediction: classLabel(outputs[label], row, classes) }) };
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

/** Probabilities of one row; a single one is the second class's. */
function rowScores({ data, dims }: OutputTensor, row: number): number[] {
  const width = elementCount(dims.slice(1));
  const shares = Array.from({ length: width }, (_, index) => data[row * width + index] as number);
  return width === 1 ? [1 - (shares[0] as number), ...shares] : shares;
}

function rawOutputs(outputs: readonly OutputTensor[], row: number): Prediction {
  const values = outputs.map(({ name, type, dims, data }) => {
    const size = elementCount(dims.slice(1));
    const elements = Array.from({ length: size }, (_, index) => jsonElement(data[row * size + index] as number, type));
    return [name, dims.length <= 1 ? elements[0] : nest(elements, dims.slice(1))] as const;
  });
  return { prediction: values.length === 1 ? values[0]?.[1] : Object.fromEntries(values) };
}

function nest(elements: readonly unknown[], dims: readonly number[]): unknown {
  if (dims.length <= 1) return elements;
  const [length = 0, ...inner] = dims;
  const size = elementCount(inner);
  return Array.from({ length }, (_, index) => nest(elements.slice(index * size, (index + 1) * size), inner));
}

const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const finite = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

function zipMap(outputs: readonly string[], source: string): LoadError {
  return new LoadError(
    "UnsupportedFormat",
    `loading ${source}: the probabilities (${outputs.join(", ")}) come as a list of maps (ZipMap), which is slow and cannot be batched; export them as a tensor: to_onnx(model, …, options={id(model): {"zipmap": False}})`,
  );
}
