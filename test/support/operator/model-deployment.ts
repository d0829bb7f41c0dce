import { parseModelDeployment } from "../../../operator/api/parse.ts";
import type { ValidModelDeployment } from "../../../operator/api/parse.ts";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";

export interface ModelDeploymentObject extends KubeObject {
  spec: ModelDeploymentSpec;
  status?: object;
}

/** A ModelDeployment as the API server gives it. */
export function modelDeploymentObject(
  spec: ModelDeploymentSpec,
  metadata: { name?: string; namespace?: string; generation?: number } = {},
): ModelDeploymentObject {
  return {
    apiVersion: "serving.slipway.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: {
      name: "loan",
      namespace: "credit",
      uid: "5d0bd3d5-6a1c-4c5f-9a3e-6f1d1f0c8e11",
      resourceVersion: "100",
      generation: 1,
      ...metadata,
    },
    spec,
  };
}

/** @throws Error when the spec breaks a rule */
export function validModelDeployment(
  spec: ModelDeploymentSpec,
  metadata: { name?: string; namespace?: string; generation?: number } = {},
): ValidModelDeployment {
  const parsed = parseModelDeployment(modelDeploymentObject(spec, metadata));
  if (!parsed.ok) throw new Error(`the test's spec is not valid: ${JSON.stringify(parsed.problems)}`);
  return parsed.value;
}
