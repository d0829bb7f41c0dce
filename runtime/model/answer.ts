import { LoadError } from "../load-error.ts";
import { classifier, labeller } from "./classification.ts";
import type { ClassLabel, Metadata } from "./metadata-schema.ts";
import { elementCount, isFloatType, isIntegerType, jsonElement, rowSize } from "./tensor.ts";
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
  readonly read: (outputs: readonly OutputTensor[], row: number) => Prediction;
  /** The `prediction` of `read` alone. */
  readonly prediction: (outputs: readonly OutputTensor[], row: number) => unknown;
}

/** What is known of a model's outputs once it was tried. */
export interface TriedOutputs {
  readonly outputs: readonly TensorSpec[];
  /** Outputs that cannot be fetched: sequences and maps. */
  readonly otherOutputs: readonly string[];
  /** What the trial run gave, where known. */
  readonly sample: readonly OutputTensor[] | undefined;
  /** Whether every output has one entry per row; else a run has one row. */
  readonly batchable: boolean;
}

/**
 * Finds out what the outputs mean. Throws a LoadError when they are not what metadata.json announces.
 */
export function answerReader(metadata: Metadata, tried: TriedOutputs, source: string): AnswerReader {
  const { outputs, otherOutputs, sample, batchable } = tried;
  const width = (index: number): number | undefined => {
    const shape = sample?.[index]?.dims ?? outputs[index]?.shape;
    return rowSize({ shape });
  };
  const chosen = chosenOutput(metadata, outputs, source);
  const isEligible = (index: number): boolean => chosen === undefined || index === chosen;
  const label = outputs.findIndex(
    ({ type }, index) => isEligible(index) && (isIntegerType(type) || type === "string") && width(index) === 1,
  );
  const scores = outputs.findIndex(({ type }, index) => isEligible(index) && isFloatType(type));

  const task = taskOf(metadata, label >= 0, source);
  if (chosen === undefined && label >= 0 && scores < 0 && otherOutputs.length > 0) throw zipMap(otherOutputs, source);
  if (task === "classification" && scores >= 0) {
    const scored = width(scores);
    const classes = classNames(metadata, label >= 0, scored, outputs[scores]?.name ?? "", source);
    const { activation = "none", threshold } = metadata.output ?? {};
    if (classes ?? label >= 0) return classifier({ classes, label, scores, activation, threshold });
  }
  if (task === "classification" && label >= 0) return labeller(metadata.classes, label);

  const shown = chosen === undefined ? outputs.map((_, index) => index) : [chosen];
  const isNumber = shown.length === 1 && shown[0] === scores && width(scores) === 1;
  const prediction: AnswerReader["prediction"] = (answered, row) => {
    const values = shown.map((index) => [outputs[index]?.name, rowOf(answered[index], row, batchable)] as const);
    return values.length === 1 ? values[0]?.[1] : Object.fromEntries(values);
  };
  return {
    kind: task === "regression" || isNumber ? "regression" : "tensors",
    read: (answered, row) => ({ prediction: prediction(answered, row) }),
    prediction,
  };
}

/** Index of the output that metadata.json points to; undefined when it leaves the choice to us. */
function chosenOutput({ output }: Metadata, outputs: readonly TensorSpec[], source: string): number | undefined {
  if (output?.tensor === undefined) return undefined;
  const index = outputs.findIndex(({ name }) => name === output.tensor);
  if (index >= 0) return index;
  const given = outputs.map(({ name }) => name).join(", ");
  throw new LoadError(
    "SignatureMismatch",
    `loading ${source}: metadata.json says that the answer is in output ${output.tensor}, but the model gives ${given}`,
  );
}

/** Words such as "tabular-classification" count as well; what says neither is left to the outputs. */
function taskOf(
  { task = "", classes, output }: Metadata,
  hasLabel: boolean,
  source: string,
): "classification" | "regression" | undefined {
  const ofClasses = output?.threshold !== undefined || (output?.activation ?? "none") !== "none";
  if (/classif/i.test(task)) return "classification";
  if (!/regress/i.test(task)) return hasLabel || classes !== undefined || ofClasses ? "classification" : undefined;
  if (!ofClasses) return "regression";
  throw new LoadError(
    "InvalidModel",
    `loading ${source}: metadata.json: output.activation and output.threshold are for classification, but the task is ${task}; put the activation into the graph`,
  );
}

/** The labels of the scores, in order; undefined when only the model's own label output knows them. */
function classNames(
  { classes, output }: Metadata,
  hasLabel: boolean,
  scored: number | undefined,
  scores: string,
  source: string,
): readonly ClassLabel[] | undefined {
  if (scored === 1 && output?.activation === "softmax") {
    throw new LoadError(
      "SignatureMismatch",
      `loading ${source}: metadata.json asks for softmax, which makes 1 of the only score (${scores}); a single score wants sigmoid`,
    );
  }
  const count = Math.max(scored ?? classes?.length ?? 0, 2);
  if (classes && scored !== undefined && classes.length !== count) {
    throw new LoadError(
      "SignatureMismatch",
      `loading ${source}: metadata.json has ${classes.length} classes (${classes.slice(0, 20).join(", ")}), but the model gives ${scored} probabilities (${scores}); export both from the same training run`,
    );
  }
  if (output?.threshold !== undefined && count !== 2) {
    throw new LoadError(
      "SignatureMismatch",
      `loading ${source}: metadata.json has a threshold, which decides between two classes, but the model gives ${count} probabilities (${scores})`,
    );
  }
  if (output?.threshold !== undefined && hasLabel && classes === undefined) {
    throw new LoadError(
      "SignatureMismatch",
      `loading ${source}: metadata.json has a threshold, which overrules the model's own label: name both classes in "classes", in the order of ${scores}`,
    );
  }
  return classes ?? (hasLabel || scored === undefined ? undefined : Array.from({ length: count }, (_, index) => index));
}

/** One row of an output: a number or text when it is a single one, else nested as the tensor is. */
function rowOf(output: OutputTensor | undefined, row: number, batchable: boolean): unknown {
  if (output === undefined) return null;
  const dims = batchable || output.dims[0] === 1 ? output.dims.slice(1) : output.dims;
  const size = elementCount(dims);
  const { data, type } = output;
  const elements = Array.from({ length: size }, (_, index) => jsonElement(data[row * size + index] as number, type));
  return size === 1 && dims.length <= 1 ? elements[0] : nest(elements, dims);
}

function nest(elements: readonly unknown[], dims: readonly number[]): unknown {
  if (dims.length <= 1) return elements;
  const [length = 0, ...inner] = dims;
  const size = elementCount(inner);
  return Array.from({ length }, (_, index) => nest(elements.slice(index * size, (index + 1) * size), inner));
}

function zipMap(outputs: readonly string[], source: string): LoadError {
  return new LoadError(
    "UnsupportedFormat",
    `loading ${source}: the probabilities (${outputs.join(", ")}) come as a list of maps (ZipMap), which is slow and cannot be batched; export them as a tensor: to_onnx(model, …, options={id(model): {"zipmap": False}})`,
  );
}
