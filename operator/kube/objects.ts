/** The part of every Kubernetes object that this layer reads; kinds extend it with their own spec and status. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFields[];
}

interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

interface ManagedFields {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  subresource?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
}

/** `namespace` is empty for cluster-scoped objects. */
export interface ObjectKey {
  namespace: string;
  name: string;
}

export interface ResourceType {
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

export const deployments = namespaced("apps", "v1", "deployments", "Deployment");
export const services = namespaced("", "v1", "services", "Service");
export const configMaps = namespaced("", "v1", "configmaps", "ConfigMap");
export const pods = namespaced("", "v1", "pods", "Pod");
export const events = namespaced("", "v1", "events", "Event");
export const horizontalPodAutoscalers = namespaced(
  "autoscaling",
  "v2",
  "horizontalpodautoscalers",
  "HorizontalPodAutoscaler",
);
export const podDisruptionBudgets = namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
export const leases = namespaced("coordination.k8s.io", "v1", "leases", "Lease");

function namespaced(group: string, version: string, plural: string, kind: string): ResourceType {
  return { group, version, plural, kind, namespaced: true };
}

export function apiVersionOf(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** `/apis/apps/v1/namespaces/credit/deployments`; without a namespace, the resource across all of them. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${type.plural}`;
}

export function objectPath(type: ResourceType, key: ObjectKey, subresource?: "status" | "scale"): string {
  if (type.namespaced && key.namespace === "") {
    throw new TypeError(
      `${type.kind} ${key.name} has no namespace, but ${type.plural} live in one: set metadata.namespace`,
    );
  }
  const path = `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function keyOf(object: KubeObject): ObjectKey {
  return { namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}

/** `credit/loan`, or just the name for a cluster-scoped object: a key for maps, queues and messages. */
export function formatKey({ namespace, name }: ObjectKey): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf("/");
  return slash === -1
    ? { namespace: "", name: text }
    : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}
