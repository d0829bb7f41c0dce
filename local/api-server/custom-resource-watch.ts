import type { Cluster } from "./cluster.ts";
import type { KubeObject } from "./objects.ts";
import { deleteObject } from "./requests/delete.ts";
import { cleanupFinalizer, resourcesOf, storageKeyOf } from "./resources/custom-resources.ts";
import type { StorageEvent } from "./storage/storage.ts";

const definitionsKey = "customresourcedefinitions.apiextensions.k8s.io";

/** Serves what CRDs define for as long as they exist; a deleted CRD takes its objects with it. Returns the function that stops it. */
export function followCustomResourceDefinitions(cluster: Cluster): () => void {
  const stops = new Map<string, () => void>();
  const follow = ({ type, object: crd }: Pick<StorageEvent, "type" | "object">): void => {
    const key = storageKeyOf(crd);
    if (type === "DELETED") {
      cluster.registry.replaceCustom(key, []);
      stops.get(key)?.();
      stops.delete(key);
      return;
    }
    cluster.registry.replaceCustom(key, resourcesOf(crd, cluster.registry.metadataSchema));
    if (crd.metadata.deletionTimestamp === undefined || !crd.metadata.finalizers?.includes(cleanupFinalizer)) return;
    queueMicrotask(() => deleteObjects(cluster, crd));
    if (!stops.has(key)) {
      const { stop } = cluster.storage.watch(key, cluster.storage.resourceVersion, () =>
        queueMicrotask(() => finish(cluster, crd)),
      );
      stops.set(key, stop);
    }
  };
  for (const object of cluster.storage.list(definitionsKey)) follow({ type: "ADDED", object });
  const { stop } = cluster.storage.watch(definitionsKey, cluster.storage.resourceVersion, follow);
  return () => {
    stop();
    for (const stopOne of stops.values()) stopOne();
  };
}

function deleteObjects(cluster: Cluster, crd: KubeObject): void {
  const key = storageKeyOf(crd);
  const resource = cluster.registry.all().find((candidate) => candidate.storageKey === key);
  if (resource === undefined) return;
  const options = {
    gracePeriodSeconds: undefined,
    uid: undefined,
    resourceVersion: undefined,
    propagation: undefined,
    dryRun: false,
  } as const;
  for (const { metadata } of cluster.storage.list(key))
    deleteObject(cluster, resource, metadata.namespace, metadata.name, options);
  finish(cluster, crd);
}

/** Lets go of a deleted CRD once none of its objects is left. */
function finish(cluster: Cluster, { metadata: { name } }: KubeObject): void {
  const crd = cluster.storage.get(definitionsKey, undefined, name);
  if (crd?.metadata.deletionTimestamp === undefined || cluster.storage.list(storageKeyOf(crd)).length > 0) return;
  const finalizers = (crd.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
  const released = { ...crd, metadata: { ...crd.metadata, finalizers } };
  if (finalizers.length === 0) cluster.storage.remove(definitionsKey, released);
  else cluster.storage.put(definitionsKey, released);
}
