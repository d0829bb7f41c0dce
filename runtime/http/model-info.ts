import { DATATYPES } from "../model/tensor.ts";
import type { TensorSpec } from "../model/tensor.ts";
import type { ServedModel } from "../served-model.ts";

/** All that is known of the model: what /model/info answers. */
export function modelInfo({ model, identity, loadedAt }: ServedModel): object {
  return {
    model_name: identity.name,
    model_version: identity.version,
    model_variant: identity.variant,
    revision: identity.revision ?? null,
    source: identity.source,
    sha256: identity.sha256,
    loaded_at: loadedAt.toISOString(),
    answers: model.answers.kind,
    features: model.features?.map(({ name, type, nullable }) => ({ name, type, nullable })) ?? null,
    signature: { inputs: model.pipeline.inputs.map(signature), outputs: model.pipeline.outputs.map(signature) },
    batchable: model.batchable,
    metadata: model.metadata,
  };
}

function signature({ name, type, shape }: TensorSpec): object {
  return { name, datatype: DATATYPES[type], shape: shape ?? null };
}
