import { GROUP } from "./model-deployment.ts";

/** Every name, label and annotation of a child is made here. */

export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  component: "app.kubernetes.io/component",
  modelDeployment: `${GROUP}/model-deployment`,
  version: `${GROUP}/version`,
  revision: `${GROUP}/revision`,
} as const;

export const MANAGED_BY = "slipway";

export const COMPONENTS = { front: "front", revision: "revision", router: "router" } as const;
export type Component = (typeof COMPONENTS)[keyof typeof COMPONENTS];

/** The container that serves the model, whatever its image; users lay their own fields over it by this name. */
export const RUNTIME_CONTAINER = "runtime";

export const ANNOTATIONS = {
  /** The rollout record, on the front Service. */
  record: `${GROUP}/rollout-record`,
  /** Digest of what the operator wants of the child, to see that a field was dropped from it. */
  desired: `${GROUP}/desired`,
  /** The pod template as it was when the Deployment was made, on the Deployment: see `withPinnedTemplate`. */
  template: `${GROUP}/pod-template`,
  /** On router pods: a change makes the kubelet bring the pod's ConfigMap up to date at once. */
  trafficTouch: `${GROUP}/traffic`,
  /** On the router's pod template: digest of the bootstrap config, which Envoy reads at its start only. */
  bootstrap: `${GROUP}/bootstrap`,
} as const;

/** Names of one ModelDeployment's children. A revision is at most 23 characters, the object's name at most 38. */
export const childNames = {
  front: (name: string): string => name,
  revision: (name: string, revision: string): string => `${name}-${revision}`,
  router: (name: string): string => `${name}-router`,
  traffic: (name: string): string => `${name}-traffic`,
};

/** The host under which a Service's addresses are looked up inside the cluster, whatever the cluster's domain. */
export function serviceHost(service: string, namespace: string): string {
  return `${service}.${namespace}.svc`;
}
