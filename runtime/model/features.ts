import { LoadError } from "../load-error.ts";
import type { FeatureType, Metadata } from "./metadata-schema.ts";
import { describeTensor, fitsInteger, isFloatType, isIntegerType, rowSize } from "./tensor.ts";
import type { Element, ElementType, TensorSpec } from "./tensor.ts";

/** One named field of a /predict row, and the pipeline input that it fills. */
export interface Feature {
  readonly name: string;
  readonly type: FeatureType;
  readonly nullable: boolean;
  /** What a null is fed as. */
  readonly missing: Element;
  /** Index of the pipeline's input. In a matrix input the features are its columns, in order. */
  readonly input: number;
  readonly element: ElementType;
}

/** How messages call the two sides: the file that names the features, and the one that takes them. */
interface Sides {
  readonly declaredIn: string;
  readonly graph: string;
}

type Declared = NonNullable<Metadata["features"]>[number];

/**
 * The named fields of a row, or undefined when the model takes tensors that have no named fields (an image, say).
 * Throws a LoadError (SignatureMismatch) that names both sides when metadata.json and the graph disagree.
 */
export function resolveFeatures(
  declared: readonly Declared[] | undefined,
  inputs: readonly TensorSpec[],
  source: string,
  sides: Sides = { declaredIn: "metadata.json", graph: "the graph" },
): readonly Feature[] | undefined {
  if (declared === undefined) return undeclaredFeatures(inputs);
  const fields = declared.map((feature) => (typeof feature === "string" ? { name: feature } : feature));
  const inputOf = placement(fields, inputs);
  if (inputOf === undefined)
    throw mismatch(
      fields.map(({ name }) => name),
      inputs,
      source,
      sides,
    );
  return fields.map((field, index) => {
    const input = inputOf(index);
    const spec = inputs[input] as TensorSpec;
    const type = field.type ?? naturalType(spec.type);
    const nullable = field.nullable ?? field.missing !== undefined;
    const missing = field.missing ?? Number.NaN;
    const problem = typeProblem(type, spec) ?? (nullable ? missingProblem(missing, type, spec) : undefined);
    if (problem !== undefined) {
      throw new LoadError(
        "SignatureMismatch",
        `loading ${source}: ${sides.declaredIn} says that ${field.name} is ${type}, but ${sides.graph} takes ${describeTensor(spec)}: ${problem}`,
      );
    }
    return { name: field.name, type, nullable, missing, input, element: spec.type };
  });
}

/** One input per feature, by name; or inputs whose columns are, in order, the features that name them; or one matrix. */
function placement(
  fields: readonly Exclude<Declared, string>[],
  inputs: readonly TensorSpec[],
): ((feature: number) => number) | undefined {
  const names = fields.map(({ name, input }) => input ?? name);
  const [only] = inputs;
  if (inputs.length === 1 && only !== undefined) {
    const width = only.shape === undefined || only.shape.length <= 2 ? (rowSize(only) ?? names.length) : undefined;
    return width === names.length ? () => 0 : undefined;
  }
  const positions = names.map((name) => inputs.findIndex((input) => input.name === name));
  const fits =
    !positions.includes(-1) &&
    inputs.every((input) => {
      const columns = names.filter((name) => name === input.name).length;
      return (input.shape === undefined || input.shape.length <= 2) && columns === (rowSize(input) ?? columns);
    });
  return fits ? (feature) => positions[feature] as number : undefined;
}

function undeclaredFeatures(inputs: readonly TensorSpec[]): readonly Feature[] | undefined {
  const feature = (name: string, input: number, spec: TensorSpec): Feature => ({
    name,
    type: naturalType(spec.type),
    nullable: false,
    missing: Number.NaN,
    input,
    element: spec.type,
  });
  if (inputs.every((input) => rowSize(input) === 1))
    return inputs.map((spec, index) => feature(spec.name, index, spec));
  const [matrix] = inputs;
  if (inputs.length !== 1 || matrix?.shape?.length !== 2) return undefined;
  const width = rowSize(matrix);
  return width === undefined
    ? undefined
    : Array.from({ length: width }, (_, column) => feature(`f${column}`, 0, matrix));
}

function naturalType(element: ElementType): FeatureType {
  if (element === "string") return "string";
  if (element === "bool") return "boolean";
  return isIntegerType(element) ? "integer" : "number";
}

/** Why values of `type` cannot be fed; undefined when they can. */
function typeProblem(type: FeatureType, { type: element }: TensorSpec): string | undefined {
  const accepted: Record<FeatureType, boolean> = {
    number: isFloatType(element),
    integer: isFloatType(element) || isIntegerType(element),
    boolean: element !== "string",
    string: element === "string",
  };
  return accepted[type] ? undefined : `a ${type} does not fit`;
}

/** Why `missing` cannot be fed for a null; undefined when it can. */
function missingProblem(missing: Element, type: FeatureType, { type: element }: TensorSpec): string | undefined {
  if (Number.isNaN(missing)) {
    return isFloatType(element)
      ? undefined
      : 'only float inputs can hold a missing value (as NaN): say what is fed in "missing"';
  }
  const accepted: Record<FeatureType, boolean> = {
    number: typeof missing === "number",
    integer: Number.isSafeInteger(missing) && (!isIntegerType(element) || fitsInteger(missing as number, element)),
    boolean: typeof missing === "boolean",
    string: typeof missing === "string",
  };
  return accepted[type] ? undefined : `its "missing" (${JSON.stringify(missing)}) is no ${type} that fits`;
}

function mismatch(
  names: readonly string[],
  inputs: readonly TensorSpec[],
  source: string,
  { declaredIn, graph }: Sides,
): LoadError {
  const [only] = inputs;
  const width = inputs.length === 1 && only !== undefined && rowSize(only);
  const taken = `${list(inputs.map(describeTensor))}${width ? `, which is ${width} ${width === 1 ? "column" : "columns"}` : ""}`;
  const inputNames = inputs.map(({ name }) => name);
  const unlike = (what: string, of: readonly string[], than: readonly string[]): string[] => {
    const others = of.filter((name) => !than.includes(name));
    return others.length > 0 ? [`${what}: ${list(others)}`] : [];
  };
  const details =
    inputs.length > 1
      ? [...unlike(`not in ${declaredIn}`, inputNames, names), ...unlike(`only in ${declaredIn}`, names, inputNames)]
      : [];
  const detail = details.length > 0 ? ` (${details.join("; ")})` : "";
  return new LoadError(
    "SignatureMismatch",
    `loading ${source}: ${declaredIn} has ${names.length} features (${list(names)}), but ${graph} takes ${taken}${detail}; export both from the same training run`,
  );
}

const MAX_LISTED = 20;

const list = (names: readonly string[]): string =>
  names.slice(0, MAX_LISTED).join(", ") + (names.length > MAX_LISTED ? `, … (${names.length - MAX_LISTED} more)` : "");
