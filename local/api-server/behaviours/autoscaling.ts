import { invalidField, requiredField, type FieldError } from "../api-error.ts";
import { isObject, listAt, numberAt, objectAt, stringAt, type JsonObject } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import { countOrPercentErrors } from "./numbers.ts";
import { setDefault } from "./pod-defaults.ts";

const scaleUpPolicies = [
  { type: "Pods", value: 4, periodSeconds: 15 },
  { type: "Percent", value: 100, periodSeconds: 15 },
];
const scaleDownPolicies = [{ type: "Percent", value: 100, periodSeconds: 15 }];

export const horizontalPodAutoscalerBehaviour: Behaviour = {
  applyDefaults(autoscaler) {
    const spec = objectAt(autoscaler, "spec");
    setDefault(spec, "minReplicas", 1);
    if (listAt(spec, "metrics").length === 0) {
      spec["metrics"] = [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
      ];
    }
    const behavior = spec["behavior"];
    if (!isObject(behavior)) return;
    behavior["scaleUp"] = rules(behavior["scaleUp"], { stabilizationWindowSeconds: 0, policies: scaleUpPolicies });
    behavior["scaleDown"] = rules(behavior["scaleDown"], { policies: scaleDownPolicies });
  },
  prepareForCreate(autoscaler) {
    autoscaler["status"] = { desiredReplicas: 0, currentMetrics: null };
  },
  validate: autoscalerErrors,
};

function rules(given: unknown, defaults: JsonObject): JsonObject {
  return { selectPolicy: "Max", ...structuredClone(defaults), ...(isObject(given) ? given : {}) };
}

function autoscalerErrors(autoscaler: JsonObject): FieldError[] {
  const spec = objectAt(autoscaler, "spec");
  const target = objectAt(spec, "scaleTargetRef");
  const minimum = numberAt(spec, "minReplicas") ?? 1;
  const maximum = numberAt(spec, "maxReplicas") ?? 0;
  const errors: FieldError[] = [];
  if (minimum < 1) errors.push(invalidField("spec.minReplicas", minimum, "must be greater than or equal to 1"));
  if (maximum < 1) errors.push(requiredField("spec.maxReplicas", "must be set and greater than 0"));
  if (maximum < minimum)
    errors.push(invalidField("spec.maxReplicas", maximum, "must be greater than or equal to `minReplicas`"));
  for (const field of ["kind", "name"])
    if (!stringAt(target, field)) errors.push(requiredField(`spec.scaleTargetRef.${field}`));
  if (!stringAt(target, "apiVersion")?.includes("/"))
    errors.push(invalidField("spec.scaleTargetRef.apiVersion", "", "apiVersion must specify API group"));
  listAt(spec, "metrics").forEach((metric, index) => {
    if (!stringAt(metric, "type"))
      errors.push(requiredField(`spec.metrics[${index}].type`, "must specify a metric source type"));
  });
  return errors;
}

export const podDisruptionBudgetBehaviour: Behaviour = {
  prepareForCreate(budget) {
    budget["status"] = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate(budget) {
    const spec = objectAt(budget, "spec");
    const both = spec["minAvailable"] !== undefined && spec["maxUnavailable"] !== undefined;
    const wrong = ["minAvailable", "maxUnavailable"].flatMap((field) => countOrPercentErrors(spec, field, "spec"));
    if (!both) return wrong;
    const shown = {
      MinAvailable: spec["minAvailable"],
      Selector: spec["selector"] ?? null,
      MaxUnavailable: spec["maxUnavailable"],
      UnhealthyPodEvictionPolicy: spec["unhealthyPodEvictionPolicy"] ?? null,
    };
    return [invalidField("spec", shown, "minAvailable and maxUnavailable cannot be both set")];
  },
};
