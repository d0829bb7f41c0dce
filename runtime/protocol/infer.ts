import type { Job, JobOutputs } from "../batching/micro-batcher.ts";
import { mapped } from "../mapped.ts";
import type { Pipeline } from "../model/pipeline.ts";
import { DATATYPES, elementCount } from "../model/tensor.ts";
import type { OutputTensor, TensorSpec, TensorValues } from "../model/tensor.ts";
import { InferError } from "./infer-error.ts";
import { flatten, readElements } from "./json-tensor.ts";
import { readRaw } from "./raw-tensor.ts";

/** An Open Inference Protocol v2 request, however it came: as JSON, as JSON with binary tensors, or over gRPC. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly SentTensor[];
  /** The names of the outputs to answer; all of them when undefined. */
  readonly outputs: readonly string[] | undefined;
}

export interface SentTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Elements, flat or nested, or the bytes of the binary form. */
  readonly data: readonly unknown[] | Uint8Array;
}

/** This request's part of an output of the run that it shared. */
export interface AnsweredTensor {
  readonly output: OutputTensor;
  readonly shape: readonly number[];
  /** The position of its first element, and how many they are. */
  readonly first: number;
  readonly count: number;
}

/** Checks a request against the model's signature. Throws an InferError. */
export function readJob({ inputs, outputs }: InferRequest, pipeline: Pipeline, batchable: boolean): Job {
  const unknown = inputs.find(({ name }) => !pipeline.inputs.some((spec) => spec.name === name));
  if (unknown) throw new InferError(`there is no input ${unknown.name}; the model takes ${names(pipeline.inputs)}`);
  const noOutput = outputs?.find((name) => !pipeline.outputs.some((spec) => spec.name === name));
  if (noOutput !== undefined)
    throw new InferError(`there is no output ${noOutput}; the model gives ${names(pipeline.outputs)}`);

  const tensors = mapped(pipeline.inputs, (spec) => {
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
  return { rows, inputs: mapped(tensors, ({ values }) => values), dims: mapped(tensors, ({ dims }) => dims) };
}

function readTensor({ name, shape, datatype, data }: SentTensor, spec: TensorSpec): TensorValues {
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
  const count = elementCount(shape);
  if (data instanceof Uint8Array) return readRaw(data, spec.type, count, name);
  const elements = Array.isArray(data[0]) && shape.length > 1 ? flatten(data, shape, name) : data;
  if (elements.length !== count) {
    throw new InferError(
      `input ${name} has ${elements.length} elements, but its shape [${shape.join()}] says ${count}`,
    );
  }
  return readElements(elements, spec.type, name);
}

/** The outputs that were asked for, in that order: this job's rows of the run that it shared. */
export function answeredTensors(
  { outputs, firstRow }: JobOutputs,
  rows: number,
  asked: readonly string[] | undefined,
  batchable: boolean,
): AnsweredTensor[] {
  const wanted = asked ? asked.flatMap((name) => outputs.find((output) => output.name === name) ?? []) : outputs;
  return mapped(wanted, (output) => {
    const { dims } = output;
    if (!batchable) return { output, shape: dims, first: 0, count: elementCount(dims) };
    const shape = [rows];
    let size = 1;
    for (let axis = 1; axis < dims.length; axis += 1) {
      const length = dims[axis] as number;
      shape.push(length);
      size *= length;
    }
    return { output, shape, first: firstRow * size, count: rows * size };
  });
}

const names = (specs: readonly TensorSpec[]): string => specs.map(({ name }) => name).join(", ");
