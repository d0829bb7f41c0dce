import type { V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { COMPONENTS, LABELS, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { Autoscaling } from "../api/serving.ts";
import type { PlannedRevision } from "../plan/plan-rollout.ts";
import { childMetadata } from "./metadata.ts";

/** The HPA of one revision. While a change is under way its minimum is raised: room before weight. */
export function horizontalPodAutoscaler(
  md: ValidModelDeployment,
  { id, version, floor }: PlannedRevision,
  { maxReplicas, targetCPUUtilizationPercentage = 80 }: Autoscaling,
): V2HorizontalPodAutoscaler {
  const name = childNames.revision(md.name, id);
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: childMetadata(md, name, COMPONENTS.revision, {
      labels: { [LABELS.revision]: id, [LABELS.version]: version },
    }),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas: floor,
      maxReplicas,
      metrics: [
        {
          type: "Resource",
          resource: {
            name: "cpu",
            target: { type: "Utilization", averageUtilization: targetCPUUtilizationPercentage },
          },
        },
      ],
    },
  };
}
