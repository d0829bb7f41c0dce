import { mapped } from "../mapped.ts";
import { InferError } from "./infer-error.ts";
import type { InferRequest, SentTensor } from "./infer.ts";
import { isObject } from "./row-forms.ts";

/** Says how many bytes of a body are JSON, when binary tensors follow it. */
export const BINARY_HEADER = "inference-header-content-length";

const MAX_TENSORS = 1024;
const MAX_RANK = 16;
const MAX_ID = 1024;

/** A request by REST, which also says in which form it wants its answer. */
export interface InferBody extends InferRequest {
  readonly isBinary: (output: string) => boolean;
}

/** An input as its JSON has it: with `data`, or with `size` bytes after the JSON. */
interface Input extends Pick<SentTensor, "name" | "datatype" | "shape"> {
  readonly data: readonly unknown[] | undefined;
  readonly size: number | undefined;
}

/**
 * Reads the JSON of a v2 request. `raw` are the bytes that followed it: the binary form of the inputs that have no
 * `data`, in their order. Throws an InferError. By hand, since every request comes by here.
 */
export function readInferBody(json: unknown, raw: Uint8Array): InferBody {
  if (!isObject(json)) throw misfit("the body", "an object");
  const { id, parameters, inputs, outputs = [] } = json;
  if (id !== undefined && (typeof id !== "string" || id.length > MAX_ID)) {
    throw misfit("id", `a text of at most ${MAX_ID} characters`);
  }
  const isBinaryAtAll = readFlag(parameters, "binary_data_output", "parameters");
  const sent = readTensors(inputs, "inputs", readInput);
  const asked = readTensors(outputs, "outputs", readAskedOutput);
  const forms = new Map(asked.map(({ name, isBinary }) => [name, isBinary]));
  return {
    id,
    inputs: sentTensors(sent, raw),
    outputs: asked.length > 0 ? asked.map(({ name }) => name) : undefined,
    isBinary: (output) => forms.get(output) ?? isBinaryAtAll ?? false,
  };
}

function readTensors<T>(list: unknown, at: string, read: (tensor: Record<string, unknown>, at: string) => T): T[] {
  if (!Array.isArray(list) || list.length > MAX_TENSORS) throw misfit(at, `a list of at most ${MAX_TENSORS} tensors`);
  return mapped(list, (tensor: unknown, index) => {
    const place = `${at}.${index}`;
    if (!isObject(tensor)) throw misfit(place, "an object");
    return read(tensor, place);
  });
}

function readInput({ name, shape, datatype, parameters = {}, data }: Record<string, unknown>, at: string): Input {
  if (typeof name !== "string") throw misfit(`${at}.name`, "a text");
  if (!isShape(shape)) throw misfit(`${at}.shape`, `a list of at most ${MAX_RANK} whole numbers, none below 0`);
  if (typeof datatype !== "string") throw misfit(`${at}.datatype`, "a text");
  if (!isObject(parameters)) throw misfit(`${at}.parameters`, "an object");
  const { binary_data_size: size } = parameters;
  if (size !== undefined && !isSize(size)) throw misfit(`${at}.parameters.binary_data_size`, "a number of bytes");
  if (data !== undefined && !Array.isArray(data)) throw misfit(`${at}.data`, "a list");
  return { name, shape, datatype, data, size };
}

function readAskedOutput({ name, parameters }: Record<string, unknown>, at: string) {
  if (typeof name !== "string") throw misfit(`${at}.name`, "a text");
  return { name, isBinary: readFlag(parameters, "binary_data", `${at}.parameters`) };
}

function readFlag(parameters: unknown, name: string, at: string): boolean | undefined {
  if (parameters === undefined) return undefined;
  if (!isObject(parameters)) throw misfit(at, "an object");
  const flag = parameters[name];
  if (flag === undefined || typeof flag === "boolean") return flag;
  throw misfit(`${at}.${name}`, "true or false");
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MAX_RANK && value.every(isSize);

const misfit = (at: string, expected: string): InferError => new InferError(`${at}: expected ${expected}`);

function sentTensors(inputs: readonly Input[], raw: Uint8Array): SentTensor[] {
  let position = 0;
  const tensors = mapped(inputs, ({ name, datatype, shape, data, size }) => {
    if ((data === undefined) === (size === undefined)) {
      throw new InferError(`input ${name} needs either data or the parameter binary_data_size`);
    }
    if (size === undefined) return { name, datatype, shape, data: data ?? [] };
    const begin = position;
    position += size;
    if (position > raw.length) {
      throw new InferError(`the binary data end within input ${name}: ${raw.length} bytes follow the JSON`);
    }
    return { name, datatype, shape, data: raw.subarray(begin, position) };
  });
  if (position !== raw.length) {
    throw new InferError(
      `${raw.length} bytes follow the JSON, but the inputs' binary_data_size are ${position} in all`,
    );
  }
  return tensors;
}
