import "./no-telemetry.ts";
import { Tensor } from "onnxruntime-node";

/** The element types that a request or an answer can carry, by their Open Inference Protocol names. */
export const DATATYPES = {
  bool: "BOOL",
  int8: "INT8",
  int16: "INT16",
  int32: "INT32",
  int64: "INT64",
  uint8: "UINT8",
  uint16: "UINT16",
  uint32: "UINT32",
  uint64: "UINT64",
  float16: "FP16",
  float32: "FP32",
  float64: "FP64",
  string: "BYTES",
} as const;

export type ElementType = keyof typeof DATATYPES;

export type Element = number | bigint | string | boolean;

/** How ONNX Runtime holds the elements of each type but strings. */
export const ARRAYS = {
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export type ElementArray = InstanceType<(typeof ARRAYS)[keyof typeof ARRAYS]>;

/** The elements of a tensor, row-major, as JSON brought them or as the binary array that they already were. */
export type TensorValues = readonly Element[] | ElementArray;

/** An input or output of a graph. `shape` counts -1 for a variable dimension; undefined when the rank is unknown. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[] | undefined;
}

/** What a run returned. `data` is row-major; BOOL is 0 or 1. */
export interface OutputTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number | bigint | string>;
}

const INTEGER_RANGES = {
  int8: [-128n, 127n],
  int16: [-32_768n, 32_767n],
  int32: [-2_147_483_648n, 2_147_483_647n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65_535n],
  uint32: [0n, 4_294_967_295n],
  uint64: [0n, 2n ** 64n - 1n],
} as const;

/** Beyond these, and for the others beyond what a double holds, a number would become infinite. */
export const LARGEST_FLOATS: Readonly<Partial<Record<ElementType, number>>> = {
  float16: 65_504,
  float32: 3.402_823_466_385_288_6e38,
};

export type IntegerType = keyof typeof INTEGER_RANGES;

export const isElementType = (type: string): type is ElementType => Object.hasOwn(DATATYPES, type);
export const isIntegerType = (type: ElementType): type is IntegerType => Object.hasOwn(INTEGER_RANGES, type);
export const isFloatType = (type: ElementType): boolean =>
  type === "float16" || type === "float32" || type === "float64";

/** Whether an integral `value` fits an element of `type`. */
export function fitsInteger(value: number | bigint, type: IntegerType): boolean {
  const [least, most] = INTEGER_RANGES[type];
  return value >= least && value <= most;
}

/** The integers that fit an element of `type` and that JSON carries exactly. */
export function integerRange(type: IntegerType): readonly [number, number] {
  const [least, most] = INTEGER_RANGES[type];
  return [Math.max(Number(least), Number.MIN_SAFE_INTEGER), Math.min(Number(most), Number.MAX_SAFE_INTEGER)];
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Elements in one row: the product of all dimensions but the first; undefined when one of them is variable. */
export function rowSize(spec: Pick<TensorSpec, "shape">): number | undefined {
  const dims = spec.shape?.slice(1);
  return dims?.every((size) => size >= 0) ? elementCount(dims) : undefined;
}

/** `float32[?, 3]`, as error messages show it. */
export function describeTensor(spec: TensorSpec): string {
  const dims = spec.shape?.map((size) => (size < 0 ? "?" : String(size))).join(", ") ?? "…";
  return `${spec.name}: ${spec.type}[${dims}]`;
}

/** One tensor from the parts of several requests, end to end. Values were checked to fit `type`. */
export function concatenate(type: ElementType, dims: readonly number[], parts: readonly TensorValues[]): Tensor {
  if (type === "string") return new Tensor("string", (parts as readonly string[][]).flat(), dims);
  const [only] = parts;
  const isWhole = parts.length === 1 && only instanceof ARRAYS[type];
  const data = isWhole ? only : fill(new ARRAYS[type](elementCount(dims)), parts);
  return tensorOf(type, data, dims);
}

/**
 * A tensor of elements that are held as ONNX Runtime holds them. For 16-bit floats its JavaScript insists on a
 * Float16Array, which its native part then takes for an empty array: that one is given the memory as 16-bit integers.
 */
export function tensorOf(type: ElementType, data: TensorValues | Tensor["data"], dims: readonly number[]): Tensor {
  const tensor = new Tensor(type, data as Tensor["data"], dims);
  if (type !== "float16") return tensor;
  const { buffer, byteOffset, length } = data as Uint16Array | Float16Array;
  return Object.assign(tensor, { cpuData: new Uint16Array(buffer, byteOffset, length) });
}

function fill(target: ElementArray, parts: readonly TensorValues[]): ElementArray {
  const isWide = target instanceof BigInt64Array || target instanceof BigUint64Array;
  let offset = 0;
  for (const part of parts) {
    if (!isWide) target.set(part as ArrayLike<number>, offset); // booleans become 0 and 1
    else if (ArrayBuffer.isView(part)) target.set(part as BigInt64Array, offset);
    else for (let index = 0; index < part.length; index += 1) target[offset + index] = BigInt(part[index] as Element);
    offset += part.length;
  }
  return target;
}

/** An element as JSON can carry it: 64-bit integers as numbers where exact, as decimal strings beyond. */
export function jsonElement(value: number | bigint | string, type: ElementType): number | string | boolean | null {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (type === "bool") return value !== 0;
  if (typeof value === "number" && !Number.isFinite(value)) return null; // JSON has no NaN
  return value;
}
