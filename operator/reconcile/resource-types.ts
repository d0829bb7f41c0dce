import { GROUP, KIND, PLURAL, VERSION } from "../api/model-deployment.ts";
import {
  apiVersionOf,
  configMaps,
  deployments,
  horizontalPodAutoscalers,
  podDisruptionBudgets,
  services,
} from "../kube/objects.ts";
import type { KubeObject, ResourceType } from "../kube/objects.ts";

export const modelDeployments: ResourceType = {
  group: GROUP,
  version: VERSION,
  plural: PLURAL,
  kind: KIND,
  namespaced: true,
};

/** The kinds of children, all of them watched: whatever drifts is seen. */
export const childTypes: readonly ResourceType[] = [
  services,
  deployments,
  configMaps,
  horizontalPodAutoscalers,
  podDisruptionBudgets,
];

export function typeOf({ apiVersion, kind }: Pick<KubeObject, "apiVersion" | "kind">): ResourceType {
  const type = childTypes.find((known) => known.kind === kind && apiVersionOf(known) === apiVersion);
  if (type === undefined)
    throw new TypeError(
      `${apiVersion} ${kind} is not a kind of child; there are: ${childTypes.map((known) => known.kind).join(", ")}`,
    );
  return type;
}

/** `Deployment/loan-v1-x7k2p9qd`: a child within its object, for maps and messages. */
export function childKey({ kind, metadata }: Pick<KubeObject, "kind" | "metadata">): string {
  return `${kind}/${metadata.name}`;
}
