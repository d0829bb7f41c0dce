import { forbiddenField, invalidField, unsupportedValue, type FieldError } from "../api-error.ts";
import { copyJson, isObject, numberAt, objectAt, type JsonObject } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import { countOrPercentErrors, negativeErrors } from "./numbers.ts";
import { defaultPodSpec, setDefault } from "./pod-defaults.ts";
import { selectorErrors, templateErrors } from "./pods.ts";

export const deploymentBehaviour: Behaviour = {
  applyDefaults(deployment) {
    const spec = objectAt(deployment, "spec");
    setDefault(spec, "replicas", 1);
    setDefault(spec, "revisionHistoryLimit", 10);
    setDefault(spec, "progressDeadlineSeconds", 600);
    setDefault(spec, "strategy", {});
    const strategy = objectAt(spec, "strategy");
    setDefault(strategy, "type", "RollingUpdate");
    if (strategy["type"] === "RollingUpdate") {
      setDefault(strategy, "rollingUpdate", {});
      const rolling = objectAt(strategy, "rollingUpdate");
      setDefault(rolling, "maxUnavailable", "25%");
      setDefault(rolling, "maxSurge", "25%");
    }
    defaultTemplate(deployment);
  },
  prepareForCreate(deployment) {
    deployment["status"] = {};
  },
  validate: (deployment, old) => [
    ...rolloutErrors(objectAt(deployment, "spec")),
    ...templateErrors(deployment),
    ...selectorErrors(deployment, old),
  ],
};

function rolloutErrors(spec: JsonObject): FieldError[] {
  const strategy = objectAt(spec, "strategy");
  const rolling = objectAt(strategy, "rollingUpdate");
  const [at, type] = ["spec.strategy.rollingUpdate", strategy["type"]];
  const errors = negativeErrors(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit"], "spec");
  if (type === "Recreate" && isObject(strategy["rollingUpdate"]))
    errors.push(forbiddenField(at, "may not be specified when strategy `type` is 'Recreate'"));
  if (type !== "Recreate" && type !== "RollingUpdate") {
    const shown = { Type: type, RollingUpdate: null };
    errors.push(unsupportedValue("spec.strategy", shown, ["Recreate", "RollingUpdate"]));
  }
  errors.push(...countOrPercentErrors(rolling, "maxUnavailable", at));
  errors.push(...countOrPercentErrors(rolling, "maxSurge", at, Infinity));
  if (isNone(rolling["maxUnavailable"]) && isNone(rolling["maxSurge"]))
    errors.push(invalidField(`${at}.maxUnavailable`, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"));
  const [deadline, ready] = [numberAt(spec, "progressDeadlineSeconds"), numberAt(spec, "minReadySeconds") ?? 0];
  if (deadline !== undefined && deadline <= ready)
    errors.push(invalidField("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  return errors;
}

function isNone(value: unknown): boolean {
  return value === 0 || value === "0%";
}

export const replicaSetBehaviour: Behaviour = {
  applyDefaults(replicaSet) {
    const spec = objectAt(replicaSet, "spec");
    setDefault(spec, "replicas", 1);
    if (!isObject(spec["selector"])) {
      const labels = objectAt(objectAt(objectAt(spec, "template"), "metadata"), "labels");
      if (Object.keys(labels).length > 0) spec["selector"] = { matchLabels: copyJson(labels) };
    }
    defaultTemplate(replicaSet);
  },
  prepareForCreate(replicaSet) {
    replicaSet["status"] = { replicas: 0 };
  },
  validate: (replicaSet, old) => [
    ...negativeErrors(objectAt(replicaSet, "spec"), ["replicas", "minReadySeconds"], "spec"),
    ...templateErrors(replicaSet),
    ...selectorErrors(replicaSet, old),
  ],
};

function defaultTemplate(workload: Record<string, unknown>): void {
  const template = objectAt(objectAt(workload, "spec"), "template");
  if (!isObject(template["metadata"])) template["metadata"] = {};
  if (isObject(template["spec"])) defaultPodSpec(template["spec"]);
}
