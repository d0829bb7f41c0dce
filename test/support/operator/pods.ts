import type { V1ContainerState, V1ContainerStatus, V1Pod, V1PodStatus } from "@kubernetes/client-node";

/** A runtime pod whose container is in the given state. */
export function pod(container: Partial<V1ContainerStatus>, status: Partial<V1PodStatus> = {}): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "loan-v1-abc", namespace: "credit" },
    status: { phase: "Running", ...status, containerStatuses: [containerStatus("runtime", container)] },
  };
}

export function containerStatus(name: string, fields: Partial<V1ContainerStatus>): V1ContainerStatus {
  return { name, image: "runtime:1", imageID: "", ready: false, restartCount: 0, ...fields };
}

export function readyPod(): V1Pod {
  return pod({ ready: true, started: true, state: running }, { conditions: [{ type: "Ready", status: "True" }] });
}

export const running: V1ContainerState = { running: {} };

export function waiting(reason: string, message?: string): V1ContainerState {
  return { waiting: { reason, ...(message !== undefined && { message }) } };
}

export function terminated(exitCode: number, reason: string, message?: string): V1ContainerState {
  return { terminated: { exitCode, reason, ...(message !== undefined && { message }) } };
}

/** What the runtime writes before it ends. */
export function lastWords(reason: string, permanent: boolean, message = "why"): string {
  return `${JSON.stringify({ reason, message, permanent })}\n`;
}
