import { z } from "zod";
import { int, quantity, rules } from "./fields.ts";
import { labelSelector } from "./pod-fields.ts";

const name = z.string().min(1).max(253);
const metric = z
  .strictObject({
    name: name.describe("Name of the metric."),
    selector: labelSelector.exactOptional().describe("Which of its series."),
  })
  .describe("The metric.");
const target = z
  .strictObject({
    type: z.enum(["Utilization", "Value", "AverageValue"]).describe("What the target is."),
    averageUtilization: int(1, 10_000).exactOptional().describe("Percent of what the pods request, on average."),
    averageValue: quantity.exactOptional().describe("Value for each pod, on average."),
    value: quantity.exactOptional().describe("Value as a whole."),
  })
  .describe("What the autoscaler holds it at.");
const resource = name.describe("Name of the resource, such as cpu or memory.");

/** Kinds of metrics, as the `type` of one names them and as its field is called. */
const METRICS = {
  Resource: "resource",
  ContainerResource: "containerResource",
  Pods: "pods",
  Object: "object",
  External: "external",
} as const;
const kinds = Object.entries(METRICS);
const fieldOfType = "the field beside type must be the one that type names, such as pods for Pods";

const metricSpec = z
  .strictObject({
    type: z.enum(Object.keys(METRICS)).describe("Kind of the metric."),
    resource: z.strictObject({ name: resource, target }).exactOptional().describe("A resource that the pods use."),
    containerResource: z
      .strictObject({ name: resource, container: name.describe("The container; the model's is runtime."), target })
      .exactOptional()
      .describe("A resource that one container of the pods uses."),
    pods: z.strictObject({ metric, target }).exactOptional().describe("A metric of the pods (custom.metrics.k8s.io)."),
    object: z
      .strictObject({
        describedObject: z
          .strictObject({
            apiVersion: name.exactOptional().describe("Its apiVersion."),
            kind: name.describe("Its kind."),
            name: name.describe("Its name."),
          })
          .describe("The object."),
        metric,
        target,
      })
      .exactOptional()
      .describe("A metric of one object (custom.metrics.k8s.io)."),
    external: z
      .strictObject({ metric, target })
      .exactOptional()
      .describe("A metric from outside of the cluster (external.metrics.k8s.io), such as a queue's length."),
  })
  .meta(
    rules({
      rule: kinds.map(([type, field]) => `has(self.${field}) == (self.type == '${type}')`).join(" && "),
      message: fieldOfType,
    }),
  );

const scalingRules = (direction: string) =>
  z
    .strictObject({
      stabilizationWindowSeconds: int(0, 3_600).exactOptional().describe("Seconds of recommendations to look back at."),
      selectPolicy: z.enum(["Max", "Min", "Disabled"]).exactOptional().describe("Which of the policies counts."),
      tolerance: quantity.exactOptional().describe("By how much a metric may miss its target without effect."),
      policies: z
        .array(
          z.strictObject({
            type: z.enum(["Pods", "Percent"]).describe("What value counts."),
            value: int(1, 100_000).describe("How much may change within the period."),
            periodSeconds: int(1, 1_800).describe("Length of the period."),
          }),
        )
        .min(1)
        .max(16)
        .exactOptional()
        .describe("How fast it may go."),
    })
    .exactOptional()
    .describe(`How it scales ${direction}.`);

const noScaleToZero = "scaling to zero is not supported yet: the fewest is 1";

export const autoscaling = z
  .strictObject({
    minReplicas: int(0, 10_000)
      .meta(rules({ rule: "self > 0", message: noScaleToZero }))
      .exactOptional()
      .describe("Fewest replicas of this version; 1 when omitted."),
    maxReplicas: int(1, 10_000).describe("Most replicas of this version."),
    targetCPUUtilizationPercentage: int(1, 1_000)
      .exactOptional()
      .describe(
        "Average CPU use over the pods, in percent of their CPU request, that the HPA holds; 80 when nothing else is to be held.",
      ),
    targetMemoryUtilizationPercentage: int(1, 1_000)
      .exactOptional()
      .describe("Average memory use over the pods, in percent of their memory request, that the HPA holds."),
    metrics: z
      .array(metricSpec)
      .max(16)
      .exactOptional()
      .describe("Further metrics, as an autoscaling/v2 HPA has them; passed through unchanged."),
    behavior: z
      .strictObject({ scaleUp: scalingRules("up"), scaleDown: scalingRules("down") })
      .exactOptional()
      .describe("How fast it scales, as an autoscaling/v2 HPA has it; passed through unchanged."),
  })
  .meta(
    rules({
      rule: "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
      message: "minReplicas must not be more than maxReplicas",
      fieldPath: ".minReplicas",
    }),
  )
  .describe("A HorizontalPodAutoscaler (autoscaling/v2) for this version, instead of a fixed number of replicas.");

export type Autoscaling = z.infer<typeof autoscaling>;

/** What the CRD's rules on autoscaling say, again. */
export function autoscalingProblems(field: string, given: Autoscaling): { field: string; message: string }[] {
  const { minReplicas = 1, maxReplicas, metrics = [] } = given;
  const problems: { field: string; message: string }[] = [];
  if (minReplicas === 0) problems.push({ field: `${field}.minReplicas`, message: noScaleToZero });
  if (minReplicas > maxReplicas)
    problems.push({ field: `${field}.minReplicas`, message: "minReplicas must not be more than maxReplicas" });
  for (const [index, each] of metrics.entries())
    if (kinds.some(([type, name]) => (each[name] !== undefined) !== (each.type === type)))
      problems.push({ field: `${field}.metrics[${index}]`, message: fieldOfType });
  return problems;
}
