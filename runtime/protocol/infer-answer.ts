import { isAscii } from "node:buffer";

import type { ModelIdentity } from "../served-model.ts";
import { DATATYPES, jsonElement } from "../model/tensor.ts";
import type { TensorSpec } from "../model/tensor.ts";
import type { AnsweredTensor } from "./infer.ts";
import { writeElements } from "./json-tensor.ts";
import type { Asked } from "./known-infer.ts";
import { writeRaw } from "./raw-tensor.ts";

/** Of more elements than that, JSON.stringify makes a text sooner. */
const FEW = 32;

/** The JSON of a v2 answer, and the bytes that are to follow it: the binary form of the outputs that have no `data`. */
export interface InferAnswer {
  readonly json: string;
  /** Whether the JSON is known to be a byte for each character. */
  readonly isAscii: boolean;
  readonly raw?: readonly Uint8Array[];
}

/** Writes one model's answers. By hand, since every request comes by here, and most of the text is the same each time. */
export class InferWriter {
  readonly #model: string;
  readonly #parameters: string;
  /** By name, the beginning of each output's text. */
  readonly #outputs: ReadonlyMap<string, string>;
  /** Of answers without an id. */
  readonly #isAscii: boolean;

  constructor({ name, version, variant }: ModelIdentity, outputs: readonly TensorSpec[]) {
    this.#model = withoutEnd({ model_name: name, model_version: version });
    this.#parameters = `,"parameters":${JSON.stringify({ model_variant: variant })},"outputs":[`;
    this.#outputs = new Map(
      outputs.map(({ name: output, type }) => [
        output,
        `${withoutEnd({ name: output, datatype: DATATYPES[type] })},"shape":[`,
      ]),
    );
    const texts = [this.#model, this.#parameters, ...this.#outputs.values()];
    this.#isAscii = isAscii(Buffer.from(texts.join(""))) && outputs.every(({ type }) => type !== "string");
  }

  write(tensors: readonly AnsweredTensor[], { id, isBinary }: Asked): InferAnswer {
    const raw: Uint8Array[] = [];
    let json = id === undefined ? this.#model : `${this.#model},"id":${JSON.stringify(id)}`;
    json += this.#parameters;
    for (let index = 0; index < tensors.length; index += 1) {
      const tensor = tensors[index] as AnsweredTensor;
      const { output, shape, first, count } = tensor;
      if (index > 0) json += ",";
      json += this.#outputs.get(output.name);
      json += `${shape.length === 1 ? shape[0] : shape.join()}],`;
      if (isBinary(output.name)) {
        const bytes = writeRaw(output, first, count);
        raw.push(bytes);
        json += `"parameters":{"binary_data_size":${bytes.length}}}`;
      } else {
        json += `"data":${count <= FEW ? fewElements(tensor) : JSON.stringify(writeElements(tensor))}}`;
      }
    }
    json += "]}";
    const isAsciiToo = this.#isAscii && id === undefined;
    return { json, isAscii: isAsciiToo, ...(raw.length > 0 && { raw }) };
  }
}

/** An object's JSON without its last brace. */
const withoutEnd = (object: object): string => JSON.stringify(object).slice(0, -1);

function fewElements({ output: { data, type }, first, count }: AnsweredTensor): string {
  let json = "[";
  for (let index = first; index < first + count; index += 1) {
    const element = jsonElement(data[index] as number, type);
    if (index > first) json += ",";
    json += typeof element === "number" ? String(element) : JSON.stringify(element);
  }
  return `${json}]`;
}
