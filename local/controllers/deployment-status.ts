import { kubeTime } from "../cluster/objects.ts";
import { withCondition, type Condition, type Deployment, type ReplicaSet } from "./objects.ts";

interface Counts {
  replicas: number;
  updated: number;
  ready: number;
  available: number;
  terminating: number;
}

interface Outcome {
  status: Record<string, unknown>;
  /** When to look again whether the progress deadline has passed. */
  checkAfterMs: number | undefined;
}

/** A Deployment's status from those of its ReplicaSets. */
export function deploymentStatus(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  maxUnavailable: number,
  now: number,
): Outcome {
  const all = fresh ? [...old, fresh] : old;
  const total = (field: "replicas" | "readyReplicas" | "availableReplicas" | "terminatingReplicas"): number =>
    all.reduce((sum, replicaSet) => sum + (replicaSet.status?.[field] ?? 0), 0);
  const counts: Counts = {
    replicas: total("replicas"),
    updated: fresh?.status?.replicas ?? 0,
    ready: total("readyReplicas"),
    available: total("availableReplicas"),
    terminating: total("terminatingReplicas"),
  };
  const unavailable = Math.max(
    0,
    all.reduce((sum, replicaSet) => sum + replicaSet.spec.replicas, 0) - counts.available,
  );
  const available = availableCondition(deployment, counts, maxUnavailable, now);
  const { condition: progressing, checkAfterMs } = progressCondition(deployment, fresh, counts, now);
  const { generation } = deployment.metadata;
  const conditions = withCondition(deployment.status?.conditions ?? [], available);
  return {
    checkAfterMs,
    status: {
      ...(generation !== undefined && { observedGeneration: generation }),
      ...nonZero({
        replicas: counts.replicas,
        updatedReplicas: counts.updated,
        readyReplicas: counts.ready,
        availableReplicas: counts.available,
        unavailableReplicas: unavailable,
      }),
      terminatingReplicas: counts.terminating,
      conditions: progressing ? withCondition(conditions, progressing) : conditions,
    },
  };
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

function availableCondition(deployment: Deployment, counts: Counts, maxUnavailable: number, now: number): Condition {
  const enough = counts.available >= deployment.spec.replicas - maxUnavailable;
  return {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
    ...times(now),
  };
}

function times(now: number): { lastUpdateTime: string; lastTransitionTime: string } {
  return { lastUpdateTime: kubeTime(now), lastTransitionTime: kubeTime(now) };
}

function progressCondition(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  counts: Counts,
  now: number,
): { condition: Condition | undefined; checkAfterMs: number | undefined } {
  const current = deployment.status?.conditions?.find((condition) => condition.type === "Progressing");
  const name = fresh?.metadata.name ?? "";
  const { replicas, paused, progressDeadlineSeconds = 600 } = deployment.spec;
  const settled = (status: "True" | "False" | "Unknown", reason: string, message: string): Condition => ({
    type: "Progressing",
    status,
    reason,
    message,
    ...times(now),
  });
  if (paused) {
    return { condition: settled("Unknown", "DeploymentPaused", "Deployment is paused"), checkAfterMs: undefined };
  }
  const complete = counts.updated === replicas && counts.replicas === replicas && counts.available === replicas;
  if (complete && fresh) {
    return {
      condition: settled("True", "NewReplicaSetAvailable", `ReplicaSet "${name}" has successfully progressed.`),
      checkAfterMs: undefined,
    };
  }
  if (current === undefined && fresh) {
    const condition = settled("True", "NewReplicaSetCreated", `Created new replica set "${name}"`);
    return { condition, checkAfterMs: progressDeadlineSeconds * 1000 };
  }
  if (
    hasProgressed(deployment, counts) ||
    current?.reason === "NewReplicaSetAvailable" ||
    current?.status === "Unknown"
  ) {
    const condition = settled("True", "ReplicaSetUpdated", `ReplicaSet "${name}" is progressing.`);
    return { condition, checkAfterMs: progressDeadlineSeconds * 1000 };
  }
  const since = Date.parse(current?.lastUpdateTime ?? kubeTime(now));
  const remaining = since + progressDeadlineSeconds * 1000 - now;
  if (remaining > 0 || current?.status === "False")
    return { condition: undefined, checkAfterMs: remaining > 0 ? remaining : undefined };
  const late = settled("False", "ProgressDeadlineExceeded", `ReplicaSet "${name}" has timed out progressing.`);
  return { condition: late, checkAfterMs: undefined };
}

/** More new pods, fewer old ones, or more of them ready than the last status says. */
function hasProgressed(deployment: Deployment, counts: Counts): boolean {
  const was = (field: string): number => Number(deployment.status?.[field] ?? 0);
  const oldNow = counts.replicas - counts.updated;
  const oldThen = was("replicas") - was("updatedReplicas");
  return (
    counts.updated > was("updatedReplicas") ||
    oldNow < oldThen ||
    counts.ready > was("readyReplicas") ||
    counts.available > was("availableReplicas")
  );
}
