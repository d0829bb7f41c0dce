import { z } from "zod";

import type { Job, JobOutputs } from "../batching/micro-batcher.ts";
import type { Pipeline } from "../model/pipeline.ts";
import { DATATYPES, elementCount, fitsInteger, isFloatType, isIntegerType, jsonElement } from "../model/tensor.ts";
import type { Element, ElementType, OutputTensor, TensorSpec } from "../model/tensor.ts";

const REQUEST = z.looseObject({
  id: z.string().max(1024).optional(),
  inputs: z
    .array(
      z.looseObject({
        name: z.string(),
        shape: z.array(z.int().min(0)).max(16),
        datatype: z.string(),
        data: z.custom<readonly unknown[]>(Array.isArray, "expected an array"),
      }),
    )
    .max(1024),
  outputs: z
    .array(z.looseObject({ name: z.string() }))
    .max(1024)
    .optional(),
});

type InputTensor = z.infer<typeof REQUEST>["inputs"][number];

/** A request that fits the pipeline. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly job: Job;
  /** The names of the outputs to answer; all of them when undefined. */
  readonly outputs: readonly string[] | undefined;
}

/** What is wrong with an infer request, in words for its sender. */
export class InferError extends Error {
  override readonly name = "InferError";
}

/** Reads the JSON of an Open Inference Protocol v2 request. Throws an InferError. */
export function readInfer(body: unknown, pipeline: Pipeline, batchable: boolean): InferRequest {
  const parsed = REQUEST.safeParse(body);
  if (!parsed.success) {
    const problems = parsed.error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
    throw new InferError(problems.join("; "));
  }
  const { id, inputs, outputs } = parsed.data;
  const unknown = inputs.find(({ name }) => !pipeline.inputs.some((spec) => spec.name === name));
  if (unknown) throw new InferError(`there is no input ${unknown.name}; the model takes ${names(pipeline.inputs)}`);
  const noOutput = outputs?.find(({ name }) => !pipeline.outputs.some((spec) => spec.name === name));
  if (noOutput) throw new InferError(`there is no output ${noOutput.name}; the model gives ${names(pipeline.outputs)}`);

  const tensors = pipeline.inputs.map((spec) => {
    const found = inputs.filter(({ name }) => name === spec.name);
    const [tensor] = found;
    if (tensor === undefined || found.length > 1)
      throw new InferError(`input ${spec.name} is ${tensor ? "given twice" : "missing"}`);
    return { dims: tensor.shape, values: readTensor(tensor, spec) };
  });
  const rows = tensors[0]?.dims[0] ?? 1;
  if (batchable && tensors.some(({ dims }) => dims[0] !== rows)) {
    throw new InferError(`the inputs differ in their number of rows: ${tensors.map(({ dims }) => dims[0]).join(", ")}`);
  }
  const job: Job = { rows, inputs: tensors.map(({ values }) => values), dims: tensors.map(({ dims }) => dims) };
  return { id, job, outputs: outputs?.length ? outputs.map(({ name }) => name) : undefined };
}

function readTensor(tensor: InputTensor, spec: TensorSpec): readonly Element[] {
  const { name, shape, datatype, data } = tensor;
  if (datatype !== DATATYPES[spec.type]) {
    throw new InferError(`input ${name} is ${datatype}, but the model takes ${DATATYPES[spec.type]}`);
  }
  const expected = spec.shape;
  if (
    expected &&
    (expected.length !== shape.length || expected.some((size, axis) => size >= 0 && size !== shape[axis]))
  ) {
    throw new InferError(
      `input ${name} has shape [${shape.join()}], but the model takes [${expected.join()}] (-1 stands for any size)`,
    );
  }
  if (shape.includes(0)) throw new InferError(`input ${name} is empty: its shape is [${shape.join()}]`);
  const elements = Array.isArray(data[0]) && shape.length > 1 ? flatten(data, shape, name) : data;
  const count = elementCount(shape);
  if (elements.length !== count) {
    throw new InferError(
      `input ${name} has ${elements.length} elements, but its shape [${shape.join()}] says ${count}`,
    );
  }
  return readElements(elements, spec.type, name);
}

/** Row-major elements of nested arrays, each level of which is as long as `shape` says. */
function flatten(data: readonly unknown[], shape: readonly number[], name: string): unknown[] {
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

function readElements(elements: readonly unknown[], type: ElementType, name: string): readonly Element[] {
  const isElement = elementCheck(type);
  let hasMissing = false;
  for (let index = 0; index < elements.length; index += 1) {
    const value = elements[index];
    if (!isElement(value)) {
      const shown = JSON.stringify(value).slice(0, 100);
      throw new InferError(`input ${name}: element ${index} is no ${DATATYPES[type]}: ${shown}`);
    }
    hasMissing ||= value === null;
  }
  // A missing value is null in JSON and NaN in a tensor.
  return hasMissing
    ? elements.map((value) => (value === null ? Number.NaN : (value as number)))
    : (elements as Element[]);
}

/** 64-bit integers may also come as decimal strings, since a JSON number is exact up to 2^53 only. */
function elementCheck(type: ElementType): (value: unknown) => boolean {
  if (type === "string") return (value) => typeof value === "string";
  if (type === "bool") return (value) => typeof value === "boolean";
  if (isFloatType(type)) return (value) => typeof value === "number" || value === null;
  if (!isIntegerType(type)) return () => false;
  const isWide = type === "int64" || type === "uint64";
  return (value) =>
    typeof value === "number"
      ? Number.isSafeInteger(value) && fitsInteger(value, type)
      : isWide && typeof value === "string" && /^-?\d{1,20}$/.test(value) && fitsInteger(BigInt(value), type);
}

/** The answer's `outputs`: this job's rows of the run that it shared. */
export function writeOutputs(
  { outputs, firstRow }: JobOutputs,
  { job, outputs: asked }: InferRequest,
  batchable: boolean,
): object[] {
  const wanted = asked ? asked.flatMap((name) => outputs.find((output) => output.name === name) ?? []) : outputs;
  return wanted.map((output) => {
    const shape = batchable ? [job.rows, ...output.dims.slice(1)] : output.dims;
    const first = batchable ? firstRow * elementCount(shape.slice(1)) : 0;
    return {
      name: output.name,
      datatype: DATATYPES[output.type],
      shape,
      data: elementsOf(output, first, elementCount(shape)),
    };
  });
}

function elementsOf({ data, type }: OutputTensor, first: number, count: number): unknown[] {
  return Array.from({ length: count }, (_, index) => jsonElement(data[first + index] as number, type));
}

const names = (specs: readonly TensorSpec[]): string => specs.map(({ name }) => name).join(", ");
