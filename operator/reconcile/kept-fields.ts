import { isDeepStrictEqual } from "node:util";
import type { V1Pod } from "@kubernetes/client-node";
import { deployments, horizontalPodAutoscalers, podDisruptionBudgets } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";
import { replicasOwners } from "./replicas-owners.ts";
import type { Pod } from "./world.ts";

type WithStatus = KubeObject & { status?: Status };

/** Of the statuses of all kinds of children, what is told apart here. */
interface Status {
  readonly readyReplicas?: number;
  readonly conditions?: readonly { readonly type: string }[];
}

/** Counts the rollouts of a Deployment, for kubectl: its controller writes it, and nobody here reads it. */
const ROLLOUT_COUNT = "deployment.kubernetes.io/revision";

/**
 * What the cache keeps of a child: its metadata and spec, which may drift, and of its status what planning and status
 * read. The rest is most of a cache's memory, and each time that a controller counts on it would be a change to look at.
 */
export function keptOfChild(child: WithStatus): KubeObject {
  const { status: _status, ...rest } = child;
  const status = keptStatus(child);
  const kept: WithStatus = { ...rest, metadata: keptMetadata(child), ...(status && { status }) };
  return kept;
}

/** The spec is most of a pod, and most objects are pods. */
export function keptOfPod({ spec: _spec, ...pod }: Pod & Pick<V1Pod, "spec">): Pod {
  const { managedFields: _fields, ...metadata } = pod.metadata;
  return { ...pod, metadata };
}

/** Whether two states of an object, as they are kept, differ in nothing but their versions. */
export function saysTheSame(one: KubeObject, other: KubeObject): boolean {
  return isDeepStrictEqual(withoutVersions(one), withoutVersions(other));
}

function keptMetadata(child: KubeObject): KubeObject["metadata"] {
  const { annotations, ...metadata } = child.metadata;
  const { [ROLLOUT_COUNT]: _count, ...kept } = annotations ?? {};
  // Of all managed fields only who owns `spec.replicas` matters.
  const managedFields = replicasOwners(child).map(({ fieldsV1: _fields, ...entry }) => entry);
  return { ...metadata, ...(annotations && { annotations: kept }), managedFields };
}

function keptStatus({ kind, status }: WithStatus): Status | undefined {
  if (status === undefined || kind === podDisruptionBudgets.kind) return undefined;
  if (kind === deployments.kind) return keptOfDeployment(status);
  if (kind === horizontalPodAutoscalers.kind) return { conditions: status.conditions ?? [] };
  return status;
}

function keptOfDeployment({ readyReplicas, conditions = [] }: Status): Status {
  return {
    ...(readyReplicas !== undefined && { readyReplicas }),
    conditions: conditions.filter(({ type }) => type === "ReplicaFailure"),
  };
}

function withoutVersions({ metadata, ...rest }: KubeObject): object {
  const { resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
