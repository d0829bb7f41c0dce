import { listAt, objectAt, type KubeObject } from "../objects.ts";

/** Whether nothing holds a deleted object back any more: no finalizer, no grace period. */
export function isFinished(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  if ((finalizers?.length ?? 0) > 0) return false;
  return object.kind !== "Namespace" || listAt(objectAt(object, "spec"), "finalizers").length === 0;
}
