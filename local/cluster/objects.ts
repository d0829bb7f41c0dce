import type {
  V1ConfigMap,
  V1Container,
  V1ContainerStatus,
  V1Node,
  V1ObjectMeta,
  V1Pod,
  V1PodCondition,
  V1PodSpec,
  V1PodStatus,
  V1Probe,
  V1Secret,
  V1Service,
  V1ServiceSpec,
  V1Volume,
} from "@kubernetes/client-node";

/** A client-node type as it travels: JSON has strings where the typed client has dates. */
type Json<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

/** What every object that was read from an API server has. */
export interface Metadata extends Omit<Json<V1ObjectMeta>, "name" | "uid" | "resourceVersion"> {
  name: string;
  uid: string;
  resourceVersion: string;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: Metadata;
}

type Stored<T> = Omit<Json<T>, "metadata"> & { metadata: Metadata };
type Namespaced<T> = Omit<Json<T>, "metadata"> & { metadata: Metadata & { namespace: string } };

export type Pod = Omit<Namespaced<V1Pod>, "spec"> & { spec: Json<V1PodSpec> };
export type Service = Omit<Namespaced<V1Service>, "spec"> & { spec: Json<V1ServiceSpec> };
export type ConfigMap = Namespaced<V1ConfigMap>;
export type Secret = Namespaced<V1Secret>;
export type Node = Stored<V1Node>;

export type Container = Json<V1Container>;
export type ContainerStatus = Json<V1ContainerStatus>;
export type PodCondition = Json<V1PodCondition>;
export type PodStatus = Json<V1PodStatus>;
export type Probe = Json<V1Probe>;
export type Volume = Json<V1Volume>;

/** `namespace/name`, the key of an object within its kind. */
export function keyOf(object: KubeObject): string {
  return object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`;
}

/** Kubernetes times have whole seconds. */
export function kubeTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, "Z");
}
