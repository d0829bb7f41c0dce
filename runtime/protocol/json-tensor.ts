import { DATATYPES, fitsInteger, isFloatType, isIntegerType, jsonElement } from "../model/tensor.ts";
import type { Element, ElementType } from "../model/tensor.ts";
import { InferError } from "./infer-error.ts";
import type { AnsweredTensor } from "./infer.ts";

/** Row-major elements of nested arrays, each level of which is as long as `shape` says. Throws an InferError. */
export function flatten(data: readonly unknown[], shape: readonly number[], name: string): unknown[] {
  let level = data;
  for (const [axis, size] of shape.entries()) {
    if (axis === 0) {
      if (level.length !== size) throw raggedness(name, axis, shape);
      continue;
    }
    const next: unknown[] = [];
    for (const inner of level) {
      if (!Array.isArray(inner) || inner.length !== size) throw raggedness(name, axis, shape);
      for (const element of inner) next.push(element);
    }
    level = next;
  }
  return [...level];
}

const raggedness = (name: string, axis: number, shape: readonly number[]): InferError =>
  new InferError(
    `input ${name} is nested, but not everywhere ${shape[axis]} long at depth ${axis + 1} as its shape [${shape.join()}] says`,
  );

/** The elements as they were sent, once each is known to fit the type. Throws an InferError. */
export function readElements(elements: readonly unknown[], type: ElementType, name: string): readonly Element[] {
  const isElement = elementCheck(type);
  let hasMissing = false;
  for (let index = 0; index < elements.length; index += 1) {
    const value = elements[index];
    if (!isElement(value)) {
      const shown = describe(value);
      throw new InferError(`input ${name}: element ${index} is no ${DATATYPES[type]}: ${shown}`);
    }
    hasMissing ||= value === null;
  }
  // A missing value is null in JSON and NaN in a tensor.
  return hasMissing
    ? elements.map((value) => (value === null ? Number.NaN : (value as number)))
    : (elements as Element[]);
}

/** JSON knows neither what is missing nor a bigint. */
const describe = (value: unknown): string =>
  value === undefined || typeof value === "bigint" ? String(value) : JSON.stringify(value).slice(0, 100);

/** 64-bit integers may also come as decimal strings, since a JSON number is exact up to 2^53 only. gRPC has bigints. */
function elementCheck(type: ElementType): (value: unknown) => boolean {
  if (type === "string") return (value) => typeof value === "string";
  if (type === "bool") return (value) => typeof value === "boolean";
  if (isFloatType(type)) return (value) => typeof value === "number" || value === null;
  if (!isIntegerType(type)) return () => false;
  const isWide = type === "int64" || type === "uint64";
  return (value) => {
    if (typeof value === "number") return Number.isSafeInteger(value) && fitsInteger(value, type);
    if (typeof value === "bigint") return isWide && fitsInteger(value, type);
    return isWide && typeof value === "string" && /^-?\d{1,20}$/.test(value) && fitsInteger(BigInt(value), type);
  };
}

/** The elements of an answer, as JSON can carry them. */
export function writeElements({ output: { data, type }, first, count }: AnsweredTensor): unknown[] {
  const elements: unknown[] = [];
  for (let index = first; index < first + count; index += 1) elements.push(jsonElement(data[index] as number, type));
  return elements;
}
