import { ApiError, conflict } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import { numberAt, objectAt, objectsAt, stringAt, timestamp, type KubeObject } from "../objects.ts";
import { matchesSelector, type LabelSelector } from "../selector.ts";
import { deleteObject, type DeleteOptions } from "./delete.ts";
import { updateObject } from "./update.ts";
import { subjectOf, type WriteTarget } from "./write-target.ts";

/** Assigns a pod to a node, as the scheduler does, and marks it scheduled. */
export function bindPod(cluster: Cluster, target: WriteTarget, node: string, options: WriteOptions): void {
  updateObject(
    cluster,
    target,
    (live) => {
      const bound = stringAt(objectAt(live, "spec"), "nodeName");
      if (bound)
        throw conflict(
          subjectOf(target.resource, target.name),
          `pod ${target.name} is already assigned to node "${bound}"`,
        );
      return { object: { ...live, spec: { ...objectAt(live, "spec"), nodeName: node } } };
    },
    options,
  );
  const scheduled = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: timestamp(cluster.clock.now()),
  };
  updateObject(
    cluster,
    { ...target, subresource: "status" },
    (live) => {
      const status = objectAt(live, "status");
      const others = objectsAt(status, "conditions").filter((condition) => condition["type"] !== "PodScheduled");
      return { object: { ...live, status: { ...status, conditions: [...others, scheduled] } } };
    },
    options,
  );
}

/** Deletes a pod unless a PodDisruptionBudget forbids it (429). */
export function evictPod(cluster: Cluster, { resource, namespace, name }: WriteTarget, options: DeleteOptions): void {
  const pod = cluster.storage.get(resource.storageKey, namespace, name);
  const budgets = cluster.storage.list("poddisruptionbudgets.policy", namespace);
  const exhausted =
    pod &&
    budgets.find((budget) => selects(budget, pod) && numberAt(objectAt(budget, "status"), "disruptionsAllowed") === 0);
  if (exhausted) {
    const message = "Cannot evict pod as it would violate the pod's disruption budget.";
    const cause = {
      reason: "DisruptionBudget",
      message: `The disruption budget ${exhausted.metadata.name} does not allow an eviction now`,
    };
    throw new ApiError(429, "TooManyRequests", message, { causes: [cause] });
  }
  deleteObject(cluster, resource, namespace, name, options);
}

function selects(budget: KubeObject, pod: KubeObject): boolean {
  const { selector } = budget["spec"] as { selector?: LabelSelector };
  return matchesSelector(selector, pod.metadata.labels);
}
