import { DATATYPES, isElementType } from "../model/tensor.ts";
import type { ElementType } from "../model/tensor.ts";
import { InferError } from "../protocol/infer-error.ts";
import type { AnsweredTensor, InferRequest } from "../protocol/infer.ts";
import { writeRaw } from "../protocol/raw-tensor.ts";
import type { MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE } from "./inference-messages.ts";
import type { MessageOf, MessageType } from "./protobuf.ts";

type Message<T> = T extends MessageType<infer F> ? MessageOf<F> : never;
type Request = Message<typeof MODEL_INFER_REQUEST>;
type Response = Message<typeof MODEL_INFER_RESPONSE>;
type Contents = NonNullable<Request["inputs"][number]["contents"]>;

/** Where a datatype's elements are in InferTensorContents; FP16 has no place there. */
const CONTENTS: Readonly<Partial<Record<ElementType, keyof Contents>>> = {
  bool: "bool_contents",
  int8: "int_contents",
  int16: "int_contents",
  int32: "int_contents",
  int64: "int64_contents",
  uint8: "uint_contents",
  uint16: "uint_contents",
  uint32: "uint_contents",
  uint64: "uint64_contents",
  float32: "fp32_contents",
  float64: "fp64_contents",
  string: "bytes_contents",
};

const TYPES = new Map(
  Object.keys(DATATYPES)
    .filter(isElementType)
    .map((type) => [DATATYPES[type] as string, type]),
);

/** The inputs are all in raw_input_contents, in order, or each in its own contents. Throws an InferError. */
export function readRequest({ id, inputs, outputs, raw_input_contents: raw }: Request): InferRequest {
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new InferError(`there are ${inputs.length} inputs, but ${raw.length} raw_input_contents`);
  }
  return {
    id,
    inputs: inputs.map(({ name = "", datatype = "", shape = [], contents }, index) => {
      const sizes = shape.map(Number);
      if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0) || sizes.length > 16) {
        throw new InferError(
          `input ${name} has shape [${shape.slice(0, 16).join()}]: expected at most 16 sizes from 0`,
        );
      }
      return { name, datatype, shape: sizes, data: raw[index] ?? elementsOf(contents, datatype, name) };
    }),
    outputs: outputs.length > 0 ? outputs.map(({ name = "" }) => name) : undefined,
  };
}

function elementsOf(contents: Contents | undefined, datatype: string, name: string): readonly unknown[] {
  const type = TYPES.get(datatype);
  const field = type && CONTENTS[type];
  if (field === undefined)
    throw new InferError(`input ${name} is ${datatype || "of no datatype"}: send it in raw_input_contents`);
  return contents?.[field] ?? [];
}

/** Answers come in the form of the request, but raw when a type has no other. */
export function writeResponse(
  tensors: readonly AnsweredTensor[],
  isRaw: boolean,
): Pick<Response, "outputs" | "raw_output_contents"> {
  const raw = isRaw || tensors.some(({ output }) => CONTENTS[output.type] === undefined);
  return {
    outputs: tensors.map((tensor) => ({
      name: tensor.output.name,
      datatype: DATATYPES[tensor.output.type],
      shape: tensor.shape.map(BigInt),
      ...(!raw && { contents: contentsOf(tensor) }),
    })),
    raw_output_contents: raw ? tensors.map(({ output, first, count }) => writeRaw(output, first, count)) : [],
  };
}

function contentsOf({ output: { data, type }, first, count }: AnsweredTensor): Contents {
  const field = CONTENTS[type];
  if (field === undefined) throw new TypeError(`${type} has no contents`);
  return { [field]: Array.from({ length: count }, (_, index) => data[first + index]) };
}
