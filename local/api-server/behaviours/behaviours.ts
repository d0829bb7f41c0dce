import type { Clock } from "../clock.ts";
import { customResourceDefinitionBehaviour } from "../resources/custom-resources.ts";
import type { Behaviour } from "../resources/resource.ts";
import type { Storage } from "../storage/storage.ts";
import { horizontalPodAutoscalerBehaviour, podDisruptionBudgetBehaviour } from "./autoscaling.ts";
import { configMapBehaviour, leaseBehaviour, secretBehaviour } from "./configuration.ts";
import { namespaceBehaviour } from "./namespaces.ts";
import { podBehaviour } from "./pods.ts";
import { serviceBehaviour } from "./services.ts";
import { deploymentBehaviour, replicaSetBehaviour } from "./workloads.ts";

/** What the built-in kinds do beyond plain storage, by their plural names. */
export function behaviours(storage: Storage, clock: Clock): ReadonlyMap<string, Behaviour> {
  return new Map<string, Behaviour>([
    ["namespaces", namespaceBehaviour],
    ["pods", podBehaviour],
    ["services", serviceBehaviour(storage)],
    ["configmaps", configMapBehaviour],
    ["secrets", secretBehaviour],
    ["leases", leaseBehaviour],
    ["deployments", deploymentBehaviour],
    ["replicasets", replicaSetBehaviour],
    ["horizontalpodautoscalers", horizontalPodAutoscalerBehaviour],
    ["poddisruptionbudgets", podDisruptionBudgetBehaviour],
    ["customresourcedefinitions", customResourceDefinitionBehaviour(() => clock.now())],
  ]);
}
