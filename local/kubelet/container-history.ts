import type { Pod } from "../cluster/objects.ts";
import type { Terminated } from "./container-state.ts";

/** What an earlier kubelet, which ended with its containers, left in the pod's status. */
export function historyOf(
  pod: Pod,
  container: string,
  now: number,
): { restartCount: number; lastTerminated?: Terminated } {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const status = statuses.find(({ name }) => name === container);
  const { running, terminated } = status?.state ?? {};
  const before = status?.lastState?.terminated;
  if (status === undefined || (running === undefined && terminated === undefined && before === undefined)) {
    return { restartCount: 0 };
  }
  const restartCount = status.restartCount + 1;
  const ended = terminated ?? (running === undefined ? before : undefined);
  const startedAt = timeOf(ended?.startedAt ?? running?.startedAt);
  if (ended === undefined) {
    const message = "the kubelet ended, and its containers with it";
    const lastTerminated = {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message,
      startedAt,
      finishedAt: now,
    };
    return { restartCount, lastTerminated: { is: "terminated", ...lastTerminated } };
  }
  const { exitCode, reason = "Error", message = "", finishedAt } = ended;
  return {
    restartCount,
    lastTerminated: { is: "terminated", exitCode, reason, message, startedAt, finishedAt: timeOf(finishedAt) },
  };
}

function timeOf(time: string | undefined): number {
  return time === undefined ? 0 : Date.parse(time);
}
