import { kubeTime, type ContainerStatus, type Pod, type PodCondition, type PodStatus } from "../cluster/objects.ts";
import type { ContainerSnapshot, ContainerState, Terminated } from "./container-state.ts";

interface PodSnapshot {
  address: string;
  hostAddress: string;
  startTime: number;
  /** The volumes are there and the containers may start. */
  prepared: boolean;
  terminating: boolean;
  initContainers: readonly ContainerSnapshot[];
  containers: readonly ContainerSnapshot[];
  /** The conditions as last reported, which the pod at hand may not have yet: they tell since when each holds. */
  reported: readonly PodCondition[];
}

/** A pod's status as a kubelet would report it. Conditions that others own are kept. */
export function podStatus(pod: Pod, snapshot: PodSnapshot, now: number): PodStatus {
  const { address, hostAddress, startTime, containers, initContainers } = snapshot;
  return {
    phase: podPhase(pod, snapshot),
    conditions: podConditions(pod, snapshot, now),
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: kubeTime(startTime),
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers.map(containerStatus) }),
    containerStatuses: containers.map(containerStatus),
    qosClass: pod.status?.qosClass ?? "Burstable",
  };
}

/** Always counts a container that waits for its restart as running, as kubelets do: a crash loop is a Running pod. */
function podPhase(pod: Pod, { initContainers, containers }: PodSnapshot): string {
  const policy = pod.spec.restartPolicy ?? "Always";
  if (initContainers.some(({ state }) => failedForGood(state, policy))) return "Failed";
  if (containers.some(hasNeverRun)) return "Pending";
  if (policy === "Always" || containers.some(({ state }) => state.is !== "terminated")) return "Running";
  const ends = containers.map(({ state }) => (state as Terminated).exitCode);
  if (ends.every((code) => code === 0)) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

function hasNeverRun({ state, lastTerminated }: ContainerSnapshot): boolean {
  return state.is === "waiting" && lastTerminated === undefined;
}

function failedForGood(state: ContainerState, policy: string): boolean {
  return policy === "Never" && state.is === "terminated" && state.exitCode !== 0;
}

type Fact = { type: string; holds: boolean; reason?: string; message?: string };

function podConditions(pod: Pod, snapshot: PodSnapshot, now: number): PodCondition[] {
  const initialized = snapshot.initContainers.every(({ state }) => state.is === "terminated" && state.exitCode === 0);
  const containersReady = readinessOf(snapshot);
  const facts: Fact[] = [
    { type: "PodScheduled", holds: true },
    { type: "PodReadyToStartContainers", holds: snapshot.prepared },
    { type: "Initialized", holds: initialized, ...(!initialized && { reason: "ContainersNotInitialized" }) },
    { type: "ContainersReady", ...containersReady },
    { type: "Ready", ...(containersReady.holds ? gatesOf(pod) : containersReady) },
  ];
  const seen = pod.status?.conditions ?? [];
  const previous = [...snapshot.reported, ...seen];
  const foreign = seen.filter(({ type }) => facts.every((fact) => fact.type !== type));
  return [...facts.map((fact) => condition(fact, previous, now)), ...foreign];
}

function readinessOf({ containers, terminating }: PodSnapshot): Omit<Fact, "type"> {
  if (terminating) return { holds: false, reason: "PodTerminating", message: "the pod is being deleted" };
  if (containers.every(({ state }) => state.is === "terminated" && state.exitCode === 0))
    return { holds: false, reason: "PodCompleted" };
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return { holds: true };
  return {
    holds: false,
    reason: "ContainersNotReady",
    message: `containers with unready status: [${unready.join(" ")}]`,
  };
}

function gatesOf(pod: Pod): Omit<Fact, "type"> {
  const closed = (pod.spec.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((type) => !pod.status?.conditions?.some((found) => found.type === type && found.status === "True"));
  if (closed.length === 0) return { holds: true };
  const message = `corresponding condition of pod readiness gate "${closed.join('", "')}" is not True`;
  return { holds: false, reason: "ReadinessGatesNotReady", message };
}

function condition(
  { type, holds, reason, message }: Fact,
  previous: readonly PodCondition[],
  now: number,
): PodCondition {
  const status = holds ? "True" : "False";
  const before = previous.find((candidate) => candidate.type === type);
  return {
    type,
    status,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    lastTransitionTime: before?.status === status ? (before.lastTransitionTime ?? kubeTime(now)) : kubeTime(now),
  };
}

function containerStatus(container: ContainerSnapshot): ContainerStatus {
  const { name, image, state, lastTerminated, restartCount, started, ready } = container;
  return {
    name,
    image,
    imageID: state.is === "waiting" && lastTerminated === undefined ? "" : `local/${image}`,
    ...(state.is === "running" && { containerID: `process://${state.pid}` }),
    state: stateOf(state),
    lastState: lastTerminated === undefined ? {} : stateOf(lastTerminated),
    restartCount,
    started,
    ready,
  };
}

function stateOf(state: ContainerState): NonNullable<ContainerStatus["state"]> {
  switch (state.is) {
    case "waiting":
      return { waiting: { reason: state.reason, ...(state.message !== undefined && { message: state.message }) } };
    case "running":
      return { running: { startedAt: kubeTime(state.startedAt) } };
    case "terminated":
      return {
        terminated: {
          exitCode: state.exitCode,
          ...(state.signal !== undefined && { signal: state.signal }),
          reason: state.reason,
          ...(state.message !== "" && { message: state.message }),
          startedAt: kubeTime(state.startedAt),
          finishedAt: kubeTime(state.finishedAt),
        },
      };
  }
}
