import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { KubeObject, Pod } from "../cluster/objects.ts";
import { MODEL_DEPLOYMENTS, modelDeploymentPath } from "./model-deployment.ts";

const MANAGER = "slipway-start";

/**
 * Makes what the cluster kept from a former run true again: the node's pods run no more, and nobody has looked at the
 * models since. Before controllers, kubelet and operator start: they would take the old statuses for what is.
 */
export async function endFormerRun(client: ClusterClient, node: string): Promise<void> {
  for (const pod of await listOf<Pod>(client, `/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`)) {
    const hasFinished = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    if (!hasFinished) await resetPod(client, pod);
  }
  for (const model of await listOf(client, MODEL_DEPLOYMENTS)) {
    // No generation is 0: the operator must look at this one before anybody takes its status for current.
    const body = { status: { observedGeneration: 0 } };
    const path = `${modelDeploymentPath(model)}/status`;
    await client.request("PATCH", path, { patch: "merge", query: { fieldManager: MANAGER }, body });
  }
}

/** The names of all models but one. */
export async function otherModels(client: ClusterClient, name: string): Promise<string[]> {
  const names = (await listOf(client, MODEL_DEPLOYMENTS)).map(({ metadata }) => metadata.name);
  return names.filter((other) => other !== name);
}

/**
 * As it was when it had been bound to its node, so that neither restarts nor ends of the former run count for the new one;
 * but for its address, which it gets again.
 */
async function resetPod(client: ClusterClient, { metadata, status }: Pod): Promise<void> {
  const conditions = status?.conditions?.filter(({ type }) => type === "PodScheduled") ?? [];
  const fresh = { phase: "Pending", conditions, containerStatuses: null, initContainerStatuses: null, startTime: null };
  await client.request("PATCH", `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, {
    patch: "merge",
    query: { fieldManager: MANAGER },
    body: { status: fresh },
  });
}

/** Empty for a kind that the cluster does not have yet. */
async function listOf<T extends KubeObject>(client: ClusterClient, path: string): Promise<T[]> {
  try {
    return (await client.request<{ items: T[] }>("GET", path)).items;
  } catch (error) {
    if (hasStatus(error, 404)) return [];
    throw error;
  }
}
