import type { V1PodDisruptionBudget } from "@kubernetes/client-node";
import { COMPONENTS, LABELS, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { PlannedRevision } from "../plan/plan-rollout.ts";
import { childMetadata, selectorLabels } from "./metadata.ts";

/** A drain of nodes takes one pod of a revision at a time; a lone pod does not block it. */
export function revisionDisruptionBudget(
  md: ValidModelDeployment,
  { id, version }: PlannedRevision,
): V1PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: childMetadata(md, childNames.revision(md.name, id), COMPONENTS.revision, {
      labels: { [LABELS.revision]: id, [LABELS.version]: version },
    }),
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorLabels(md.name, COMPONENTS.revision, id) } },
  };
}

export function routerDisruptionBudget(md: ValidModelDeployment): V1PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: childMetadata(md, childNames.router(md.name), COMPONENTS.router),
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorLabels(md.name, COMPONENTS.router) } },
  };
}
