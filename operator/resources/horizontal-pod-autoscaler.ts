import type {
  V2HPAScalingRules,
  V2HorizontalPodAutoscaler,
  V2HorizontalPodAutoscalerBehavior,
  V2MetricSpec,
} from "@kubernetes/client-node";
import { COMPONENTS, LABELS, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { Autoscaling } from "../api/autoscaling.ts";
import type { PlannedRevision } from "../plan/plan-rollout.ts";
import { childMetadata } from "./metadata.ts";
import { canonicalQuantity } from "./quantity.ts";

const DEFAULT_CPU_UTILIZATION = 80;

/** The HPA of one revision. While a change is under way its minimum is raised: room before weight. */
export function horizontalPodAutoscaler(
  md: ValidModelDeployment,
  { id, version, floor }: PlannedRevision,
  autoscaling: Autoscaling,
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
      maxReplicas: autoscaling.maxReplicas,
      metrics: metricSpecs(autoscaling),
      ...(autoscaling.behavior && { behavior: behaviorOf(autoscaling.behavior) }),
    },
  };
}

type Metric = NonNullable<Autoscaling["metrics"]>[number];
type Behavior = NonNullable<Autoscaling["behavior"]>;
type ScalingRules = NonNullable<Behavior["scaleUp"]>;

function behaviorOf({ scaleUp, scaleDown }: Behavior): V2HorizontalPodAutoscalerBehavior {
  return {
    ...(scaleUp && { scaleUp: canonicalRules(scaleUp) }),
    ...(scaleDown && { scaleDown: canonicalRules(scaleDown) }),
  };
}

function metricSpecs(autoscaling: Autoscaling): V2MetricSpec[] {
  const { targetCPUUtilizationPercentage: cpu, targetMemoryUtilizationPercentage: memory, metrics = [] } = autoscaling;
  const isUntold = cpu === undefined && memory === undefined && metrics.length === 0;
  const cpuTarget = isUntold ? DEFAULT_CPU_UTILIZATION : cpu;
  return [
    ...(cpuTarget === undefined ? [] : [utilization("cpu", cpuTarget)]),
    ...(memory === undefined ? [] : [utilization("memory", memory)]),
    ...metrics.map(canonicalMetric),
  ];
}

function utilization(name: string, averageUtilization: number): V2MetricSpec {
  return { type: "Resource", resource: { name, target: { type: "Utilization", averageUtilization } } };
}

/** The API server gives quantities back in canonical form; anything else would look like drift. */
function canonicalMetric(metric: Metric): V2MetricSpec {
  const text = JSON.stringify(metric, (name, value: unknown) => (name === "target" ? canonicalTarget(value) : value));
  return JSON.parse(text) as V2MetricSpec;
}

/** Anything else is a label by that name. */
function canonicalTarget(target: unknown): unknown {
  if (typeof target !== "object" || target === null) return target;
  return Object.fromEntries(
    Object.entries(target).map(([name, value]: [string, unknown]) => [
      name,
      (name === "value" || name === "averageValue") && (typeof value === "string" || typeof value === "number")
        ? canonicalQuantity(value)
        : value,
    ]),
  );
}

function canonicalRules({ tolerance, ...rules }: ScalingRules): V2HPAScalingRules {
  return { ...rules, ...(tolerance !== undefined && { tolerance: canonicalQuantity(tolerance) }) };
}
