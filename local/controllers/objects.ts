import type { LabelSelector } from "../api-server/selector.ts";
import type { KubeObject, Pod } from "../cluster/objects.ts";

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: Pod["spec"];
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime: string;
  lastUpdateTime?: string;
  observedGeneration?: number;
}

export interface Deployment extends KubeObject {
  spec: {
    replicas: number;
    selector: LabelSelector;
    template: PodTemplate;
    strategy: { type: string; rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } };
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
    progressDeadlineSeconds?: number;
    paused?: boolean;
  };
  status?: { conditions?: Condition[] } & Record<string, unknown>;
}

export interface ReplicaSetStatus {
  replicas: number;
  fullyLabeledReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  terminatingReplicas?: number;
  observedGeneration?: number;
  conditions?: Condition[];
}

export interface ReplicaSet extends KubeObject {
  spec: { replicas: number; selector: LabelSelector; template: PodTemplate; minReadySeconds?: number };
  status?: ReplicaSetStatus;
}

export interface HorizontalPodAutoscaler extends KubeObject {
  spec: {
    scaleTargetRef: { apiVersion?: string; kind: string; name: string };
    minReplicas?: number;
    maxReplicas: number;
  };
  status?: { conditions?: Condition[] } & Record<string, unknown>;
}

export interface PodDisruptionBudget extends KubeObject {
  spec: { selector?: LabelSelector; minAvailable?: number | string; maxUnavailable?: number | string };
  status?: { conditions?: Condition[] } & Record<string, unknown>;
}

export interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] };
}

/** The reference that makes `owner` the controller of a new object. */
export function controllerReference(owner: KubeObject, apiVersion: string, kind: string): Record<string, unknown> {
  const { name, uid } = owner.metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

export function controllerUid(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller)?.uid;
}

/** A pod that still counts towards its ReplicaSet's replicas. */
export function isActive(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase !== "Succeeded" && phase !== "Failed" && pod.metadata.deletionTimestamp === undefined;
}

export function isReady(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false
  );
}

/** Milliseconds until a ready pod counts as available: 0 when it does, undefined when it is not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const since = ready.lastTransitionTime === undefined ? now : Date.parse(ready.lastTransitionTime);
  return Math.max(0, since + minReadySeconds * 1000 - now);
}

/** `25%` of `total`, or the number itself. */
export function scaledValue(value: number | string | undefined, total: number, round: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value ?? "")?.[1];
  if (percent === undefined) return 0;
  const exact = (Number(percent) * total) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}

/** The conditions with `next` in the place of its type; its transition time is kept while its status stays the same. */
export function withCondition(conditions: readonly Condition[], next: Condition): Condition[] {
  const index = conditions.findIndex((condition) => condition.type === next.type);
  const current = conditions[index];
  if (current === undefined) return [...conditions, next];
  const unchanged =
    current.status === next.status && current.reason === next.reason && current.message === next.message;
  const kept = current.status === next.status ? { ...next, lastTransitionTime: current.lastTransitionTime } : next;
  return conditions.with(
    index,
    unchanged ? { ...kept, ...(current.lastUpdateTime && { lastUpdateTime: current.lastUpdateTime }) } : kept,
  );
}
