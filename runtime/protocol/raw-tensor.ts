import { isUtf8 } from "node:buffer";

import { ARRAYS, DATATYPES } from "../model/tensor.ts";
import type { ElementType, OutputTensor, TensorValues } from "../model/tensor.ts";
import { InferError } from "./infer-error.ts";

/** Bytes before each element of a BYTES tensor: its length. */
const LENGTH_BYTES = 4;

/**
 * The elements of a tensor in the protocol's binary form: little-endian and row-major; each BYTES element after its
 * length as uint32. Numbers are not copied where their place in memory allows it. Throws an InferError.
 */
export function readRaw(bytes: Uint8Array, type: ElementType, count: number, name: string): TensorValues {
  if (type === "string") return readStrings(bytes, count, name);
  const { BYTES_PER_ELEMENT: size } = ARRAYS[type];
  if (bytes.length !== count * size) {
    throw new InferError(
      `input ${name} has ${bytes.length} bytes, but ${count} elements of ${DATATYPES[type]} take ${count * size}`,
    );
  }
  if (type === "bool") requireBooleans(bytes, name);
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAYS[type](buffer as ArrayBuffer, byteOffset, count);
}

function readStrings(bytes: Uint8Array, count: number, name: string): string[] {
  if (bytes.length < count * LENGTH_BYTES) throw cutOff(bytes, count, name); // before `count` sizes anything
  const { buffer, byteOffset, length } = bytes;
  const view = Buffer.from(buffer, byteOffset, length);
  const strings: string[] = [];
  let position = 0;
  while (strings.length < count) {
    if (position + LENGTH_BYTES > length) throw cutOff(bytes, count, name);
    const begin = position + LENGTH_BYTES;
    position = begin + view.readUInt32LE(position);
    if (position > length) throw cutOff(bytes, count, name);
    strings.push(text(view.subarray(begin, position), strings.length, name));
  }
  if (position < length) {
    throw new InferError(`input ${name} has ${length} bytes, but its ${count} elements end after ${position}`);
  }
  return strings;
}

/** A BYTES element as ONNX Runtime takes it. Throws an InferError when it is no text. */
function text(bytes: Buffer, index: number, name: string): string {
  if (!isUtf8(bytes)) throw new InferError(`input ${name}: element ${index} is not valid UTF-8`);
  return bytes.toString("utf8");
}

function requireBooleans(bytes: Uint8Array, name: string): void {
  const index = bytes.findIndex((byte) => byte > 1);
  if (index >= 0) throw new InferError(`input ${name}: element ${index} is no BOOL: byte ${bytes[index]}`);
}

const cutOff = ({ length }: Uint8Array, count: number, name: string): InferError =>
  new InferError(`input ${name} has ${length} bytes, which end before its ${count} elements do`);

/** The binary form of `count` elements. Numbers are not copied: the bytes are those of the run's output. */
export function writeRaw({ data, type }: OutputTensor, first: number, count: number): Uint8Array {
  if (type === "string") return writeStrings(data as readonly string[], first, count);
  const { buffer, byteOffset, BYTES_PER_ELEMENT: size } = data as InstanceType<(typeof ARRAYS)[typeof type]>;
  return new Uint8Array(buffer, byteOffset + first * size, count * size);
}

function writeStrings(data: readonly string[], first: number, count: number): Uint8Array {
  const parts: Buffer[] = [];
  for (let index = first; index < first + count; index += 1) {
    const element = Buffer.from(data[index] as string, "utf8");
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(element.length);
    parts.push(length, element);
  }
  return Buffer.concat(parts);
}
