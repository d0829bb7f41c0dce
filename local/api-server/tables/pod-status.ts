import { numberAt, objectAt, objectsAt, stringAt, type JsonObject, type KubeObject } from "../objects.ts";
import { age } from "./age.ts";

/** Ready containers of all: `1/2`. */
export function podReady(pod: KubeObject): string {
  const statuses = objectsAt(objectAt(pod, "status"), "containerStatuses");
  const ready = statuses.filter((status) => status["ready"] === true && "running" in objectAt(status, "state")).length;
  return `${ready}/${objectsAt(objectAt(pod, "spec"), "containers").length}`;
}

/** Restarts of all containers, with the time since the last one. */
export function podRestarts(pod: KubeObject, now: number): string {
  const statuses = objectsAt(objectAt(pod, "status"), "containerStatuses");
  const count = statuses.reduce((sum, status) => sum + (numberAt(status, "restartCount") ?? 0), 0);
  const last = statuses
    .map((status) => stringAt(objectAt(objectAt(status, "lastState"), "terminated"), "finishedAt") ?? "")
    .sort()
    .at(-1);
  return count > 0 && last ? `${count} (${age(last, now)} ago)` : String(count);
}

/** The one word that sums up a pod: a container's reason where it has one, else the phase. */
export function podStatus(pod: KubeObject): string {
  const status = objectAt(pod, "status");
  const initial = initReason(pod);
  let reason = stringAt(status, "reason") ?? stringAt(status, "phase") ?? "Unknown";
  if (initial !== undefined) reason = initial;
  else {
    const statuses = objectsAt(status, "containerStatuses");
    for (const container of statuses.toReversed()) reason = containerReason(container) ?? reason;
    const anyReady = statuses.some(
      (container) => container["ready"] === true && "running" in objectAt(container, "state"),
    );
    if (reason === "Completed" && anyReady) reason = isReady(status) ? "Running" : "NotReady";
  }
  if (pod.metadata.deletionTimestamp === undefined) return reason;
  if (stringAt(status, "reason") === "NodeLost") return "Unknown";
  return ["Succeeded", "Failed"].includes(stringAt(status, "phase") ?? "") ? reason : "Terminating";
}

function isReady(status: JsonObject): boolean {
  return objectsAt(status, "conditions").some(
    (condition) => condition["type"] === "Ready" && condition["status"] === "True",
  );
}

function containerReason(status: JsonObject): string | undefined {
  const state = objectAt(status, "state");
  const waiting = stringAt(objectAt(state, "waiting"), "reason");
  if (waiting) return waiting;
  if (!("terminated" in state)) return undefined;
  return terminatedReason(objectAt(state, "terminated"));
}

function terminatedReason(terminated: JsonObject): string {
  const reason = stringAt(terminated, "reason");
  if (reason) return reason;
  const signal = numberAt(terminated, "signal");
  return signal ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, "exitCode") ?? 0}`;
}

function initReason(pod: KubeObject): string | undefined {
  const statuses = objectsAt(objectAt(pod, "status"), "initContainerStatuses");
  const total = objectsAt(objectAt(pod, "spec"), "initContainers").length;
  for (const [index, status] of statuses.entries()) {
    const state = objectAt(status, "state");
    const terminated = objectAt(state, "terminated");
    if ("terminated" in state && numberAt(terminated, "exitCode") === 0) continue;
    if ("terminated" in state) return `Init:${terminatedReason(terminated)}`;
    const waiting = stringAt(objectAt(state, "waiting"), "reason");
    return waiting && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${index}/${total}`;
  }
  return undefined;
}
