import type { KubeObject } from "../cluster/objects.ts";

export const API_VERSION = "serving.slipway.dev/v1alpha1";
/** Where the API server has those of all namespaces. */
export const MODEL_DEPLOYMENTS = `/apis/${API_VERSION}/modeldeployments`;
/** Of the model that `npm start` serves. */
export const MODEL_NAMESPACE = "default";

/** What of a ModelDeployment the start-up story tells. */
export interface ModelDeployment extends KubeObject {
  status?: {
    observedGeneration?: number;
    phase?: string;
    step?: string;
    conditions?: { type: string; status: string; reason: string; message: string; observedGeneration?: number }[];
    revisions?: { revision: string; version: string; state: string; reason?: string; message?: string }[];
  };
}

export function modelDeploymentPath({ metadata: { namespace, name } }: KubeObject): string {
  return `/apis/${API_VERSION}/namespaces/${namespace}/modeldeployments/${name}`;
}
