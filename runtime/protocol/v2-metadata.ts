import manifest from "../../package.json" with { type: "json" };
import type { Pipeline } from "../model/pipeline.ts";
import { DATATYPES } from "../model/tensor.ts";
import type { TensorSpec } from "../model/tensor.ts";
import type { ModelIdentity } from "../served-model.ts";

export const serverMetadata = {
  name: "slipway-runtime",
  version: manifest.version,
  extensions: ["binary_tensor_data"],
};

/** The signature that infer takes: the preprocessor's inputs when there is one. */
export function modelMetadata({ name, version }: ModelIdentity, { inputs, outputs }: Pipeline): object {
  return {
    name,
    versions: [version],
    platform: "onnx_onnxv1",
    inputs: inputs.map(tensor),
    outputs: outputs.map(tensor),
  };
}

const tensor = ({ name, type, shape }: TensorSpec): object => ({
  name,
  datatype: DATATYPES[type],
  shape: shape ?? [-1],
});
