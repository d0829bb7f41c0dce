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

interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** The signature that infer takes: the preprocessor's inputs when there is one. */
export function modelMetadata({ name, version }: ModelIdentity, { inputs, outputs }: Pipeline): ModelMetadata {
  return {
    name,
    versions: [version],
    platform: "onnx_onnxv1",
    inputs: inputs.map(tensor),
    outputs: outputs.map(tensor),
  };
}

const tensor = ({ name, type, shape }: TensorSpec): TensorMetadata => ({
  name,
  datatype: DATATYPES[type],
  shape: shape ?? [-1],
});

/** What v1's clients ask for: `ready` is KServe's, the rest TensorFlow Serving's. */
export const modelStatus = ({ name, version }: ModelIdentity): object => ({
  name,
  ready: true,
  model_version_status: [{ version, state: "AVAILABLE", status: { error_code: "OK", error_message: "" } }],
});
