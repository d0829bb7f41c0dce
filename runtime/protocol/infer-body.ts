import * as z from "zod";

import { DATATYPES } from "../model/tensor.ts";
import { InferError } from "./infer-error.ts";
import type { AnsweredTensor, InferRequest, SentTensor } from "./infer.ts";
import { writeElements } from "./json-tensor.ts";
import { writeRaw } from "./raw-tensor.ts";

/** Says how many bytes of a body are JSON, when binary tensors follow it. */
export const BINARY_HEADER = "inference-header-content-length";

const INPUT = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(0)).max(16),
  datatype: z.string(),
  parameters: z.looseObject({ binary_data_size: z.int().min(0).optional() }).optional(),
  data: z.custom<readonly unknown[]>(Array.isArray, "expected an array").optional(),
});

const REQUEST = z.looseObject({
  id: z.string().max(1024).optional(),
  parameters: z.looseObject({ binary_data_output: z.boolean().optional() }).optional(),
  inputs: z.array(INPUT).max(1024),
  outputs: z
    .array(
      z.looseObject({
        name: z.string(),
        parameters: z.looseObject({ binary_data: z.boolean().optional() }).optional(),
      }),
    )
    .max(1024)
    .optional(),
});

/** A request by REST, which also says in which form it wants its answer. */
export interface InferBody extends InferRequest {
  readonly isBinary: (output: string) => boolean;
}

/**
 * Reads the JSON of a v2 request. `raw` are the bytes that followed it: the binary form of the inputs that have no
 * `data`, in their order. Throws an InferError.
 */
export function readInferBody(json: unknown, raw: Uint8Array): InferBody {
  const parsed = REQUEST.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
    throw new InferError(problems.join("; "));
  }
  const { id, inputs, outputs = [], parameters } = parsed.data;
  const forms = new Map(outputs.map((output) => [output.name, output.parameters?.binary_data]));
  return {
    id,
    inputs: sentTensors(inputs, raw),
    outputs: outputs.length > 0 ? outputs.map(({ name }) => name) : undefined,
    isBinary: (output) => forms.get(output) ?? parameters?.binary_data_output ?? false,
  };
}

function sentTensors(inputs: readonly z.infer<typeof INPUT>[], raw: Uint8Array): SentTensor[] {
  let position = 0;
  const tensors = inputs.map(({ name, datatype, shape, parameters, data }) => {
    const size = parameters?.binary_data_size;
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

/** The answer's `outputs`, and the bytes that are to follow the JSON: the binary form of those that have no `data`. */
export function writeOutputs(
  tensors: readonly AnsweredTensor[],
  isBinary: InferBody["isBinary"],
): { outputs: object[]; raw: Uint8Array[] } {
  const raw: Uint8Array[] = [];
  const outputs = tensors.map((tensor) => {
    const { output, shape, first, count } = tensor;
    const head = { name: output.name, datatype: DATATYPES[output.type], shape };
    if (!isBinary(output.name)) return { ...head, data: writeElements(tensor) };
    const bytes = writeRaw(output, first, count);
    raw.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.length } };
  });
  return { outputs, raw };
}
