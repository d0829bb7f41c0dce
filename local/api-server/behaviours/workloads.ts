import { copyJson, isObject, objectAt } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
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
  validate: (deployment, old) => [...templateErrors(deployment), ...selectorErrors(deployment, old)],
};

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
  validate: (replicaSet, old) => [...templateErrors(replicaSet), ...selectorErrors(replicaSet, old)],
};

function defaultTemplate(workload: Record<string, unknown>): void {
  const template = objectAt(objectAt(workload, "spec"), "template");
  if (!isObject(template["metadata"])) template["metadata"] = {};
  if (isObject(template["spec"])) defaultPodSpec(template["spec"]);
}
