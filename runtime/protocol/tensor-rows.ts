import type { Pipeline } from "../model/pipeline.ts";
import { DATATYPES } from "../model/tensor.ts";
import type { TensorSpec } from "../model/tensor.ts";
import { InferError } from "./infer-error.ts";
import { readJob } from "./infer.ts";
import type { SentTensor } from "./infer.ts";
import { isObject } from "./row-forms.ts";
import type { Rows } from "./rows.ts";

/**
 * The rows of a model that takes tensors: `instances`, a nested array for each row (or one for each input by name), or
 * `inputs`, an array of all rows (or one for each input by name). Throws an InferError.
 */
export function readTensorRows(body: unknown, pipeline: Pipeline, batchable: boolean): Rows {
  const { instances, inputs } = isObject(body) ? body : {};
  const whole = inputs === undefined ? byInput(instances, pipeline.inputs) : inputs;
  const sent = pipeline.inputs.map((spec): SentTensor => {
    const data = isObject(whole) ? whole[spec.name] : pipeline.inputs.length === 1 ? whole : undefined;
    if (!Array.isArray(data)) {
      throw new InferError(
        `input ${spec.name} is missing: send {"instances": [row, …]} or {"inputs": {name: rows, …}}`,
      );
    }
    return { name: spec.name, datatype: DATATYPES[spec.type], shape: shapeOf(data), data };
  });
  return {
    ok: true,
    many: true,
    job: readJob({ id: undefined, inputs: sent, outputs: undefined }, pipeline, batchable),
  };
}

/** Instances that are objects, turned into an array for each input. */
function byInput(instances: unknown, inputs: readonly TensorSpec[]): unknown {
  if (!Array.isArray(instances) || !isObject(instances[0])) return instances;
  return Object.fromEntries(
    inputs.map(({ name }) => [name, instances.map((row: unknown) => (isObject(row) ? row[name] : undefined))]),
  );
}

/** That of the first elements; whether the others agree is checked when they are flattened. */
function shapeOf(data: readonly unknown[]): number[] {
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level) && shape.length < 16; level = level[0]) shape.push(level.length);
  return shape;
}
