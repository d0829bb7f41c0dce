import type { KubeObject } from "../kube/objects.ts";

type ManagedFields = NonNullable<KubeObject["metadata"]["managedFields"]>[number];

/** Who owns `spec.replicas`: of an object as the API server gave it, or of one that a cache keeps without the fields. */
export function replicasOwners({ metadata }: KubeObject): ManagedFields[] {
  return (metadata.managedFields ?? []).filter(({ fieldsV1 }) => fieldsV1 === undefined || ownsReplicas(fieldsV1));
}

function ownsReplicas(fields: { "f:spec"?: { "f:replicas"?: unknown } }): boolean {
  return fields["f:spec"]?.["f:replicas"] !== undefined;
}
