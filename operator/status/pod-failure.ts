import type { V1ContainerState, V1ContainerStateTerminated, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { LOAD_FAILURES } from "../../runtime/contract.ts";
import type { TerminationMessage } from "../../runtime/contract.ts";
import { RUNTIME_CONTAINER } from "../api/names.ts";
import type { RevisionReason } from "../api/status.ts";

/** What nodes say of pods in Events, by the pods' uid: a probe's answer, a volume that is not there. */
export type Complaints = ReadonlyMap<string, string>;

/** Why a pod is not ready, in words that say what to do. */
export interface PodFailure {
  readonly reason: RevisionReason;
  readonly message: string;
  /** True when waiting does not help: somebody has to change the spec, the artifact or the cluster. */
  readonly permanent: boolean;
}

/**
 * The failure that explains most: a permanent one before one that may pass. A pod that its node has ended stays until it
 * is collected: it explains why its successor is only starting, and nothing that came later.
 */
export function worstFailure(pods: readonly V1Pod[], complaints: Complaints = new Map()): PodFailure | undefined {
  const failureOf = (pod: V1Pod) => podFailure(pod, complaints.get(pod.metadata?.uid ?? ""));
  const ended = pods.filter(({ status }) => status?.phase === "Failed");
  const failing = pods.filter((pod) => !ended.includes(pod) && podFailure(pod) !== undefined);
  const failures = failing.map(failureOf).filter((failure) => failure !== undefined);
  const worst =
    failures.find(({ permanent }) => permanent) ?? failures.find(({ reason }) => reason !== "Starting") ?? failures[0];
  if (worst !== undefined && worst.reason !== "Starting") return worst;
  const predecessor = ended.find((pod) => failing.length === 0 || failing.some((other) => isSuccessor(other, pod)));
  return (predecessor && podFailure(predecessor)) ?? worst;
}

const SUCCESSOR_WITHIN_MS = 60_000;

function isSuccessor({ metadata }: V1Pod, { status, metadata: endedMetadata }: V1Pod): boolean {
  const changes = [
    endedMetadata?.creationTimestamp,
    ...(status?.conditions ?? []).map((each) => each.lastTransitionTime),
  ];
  const endedAt = Math.max(...changes.map((time) => (time === undefined ? 0 : new Date(time).getTime())));
  const createdAt = new Date(metadata?.creationTimestamp ?? 0).getTime();
  return Math.abs(createdAt - endedAt) < SUCCESSOR_WITHIN_MS;
}

/** Undefined for a pod that is ready or on its way out. */
export function podFailure(pod: V1Pod, complaint?: string): PodFailure | undefined {
  const { status, metadata } = pod;
  if (metadata?.deletionTimestamp !== undefined || isReady(pod)) return undefined;
  if (status?.phase === "Failed" && status.reason !== undefined) return ended(status.reason, status.message);
  const unscheduled = status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled !== undefined)
    return {
      reason: "Unschedulable",
      message: `no node takes the pod: ${unscheduled.message ?? unscheduled.reason ?? "the scheduler gave no reason"}`,
      permanent: false,
    };
  const unfinished = status?.initContainerStatuses?.filter(({ state }) => state?.terminated?.exitCode !== 0) ?? [];
  const containers = [...unfinished, ...(status?.containerStatuses ?? [])];
  const failures = containers.map(containerFailure).filter((failure) => failure !== undefined);
  return failures.find(({ permanent }) => permanent) ?? failures[0] ?? starting(pod, containers, complaint);
}

/** The node ended the pod, or did not take it after all; the Deployment makes another one. */
function ended(reason: string, message = "the node gave no reason"): PodFailure {
  return {
    reason: "Evicted",
    message: `the node ended the pod (${reason}): ${message.trim()}; ask for what the pods use in serving.resources.requests`,
    permanent: false,
  };
}

export function isReady({ status, metadata }: V1Pod): boolean {
  const isGoing = metadata?.deletionTimestamp !== undefined;
  return !isGoing && (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

function containerFailure({ state, lastState, restartCount, image }: V1ContainerStatus): PodFailure | undefined {
  const waiting = state?.waiting;
  if (waiting?.reason !== undefined && IMAGE_REASONS.has(waiting.reason))
    return {
      reason: "ImagePull",
      message: `pulling ${image}: ${waiting.message ?? waiting.reason}; is the name right, and may the node pull it?`,
      permanent: !MAY_PASS.test(waiting.message ?? ""),
    };
  if (waiting?.reason !== undefined && CONFIGURATION_REASONS.has(waiting.reason))
    return { reason: "InvalidConfiguration", message: waiting.message ?? waiting.reason, permanent: true };
  return (
    terminated(state, restartCount + 1) ??
    // In its back-off a container has ended once more than it was restarted; while it runs, as often.
    terminated(lastState, state?.running ? restartCount : restartCount + 1)
  );
}

const IMAGE_REASONS = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);
/** A registry that does not answer may do so a minute later; one that does not know the image will not. */
const MAY_PASS =
  /timeout|timed out|deadline exceeded|connection re|no such host|temporar|toomanyrequests|\b(429|5\d\d)\b/i;
const CONFIGURATION_REASONS = new Set(["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]);

/** What ended a container, be it that it runs again: it says nothing yet, and the last time is what people want to know. */
function terminated(state: V1ContainerState | undefined, ends: number): PodFailure | undefined {
  const end = state?.terminated;
  if (end === undefined) return undefined;
  const said = terminationMessage(end.message);
  if (said !== undefined) return said;
  if (end.reason === "OOMKilled")
    return {
      reason: "OutOfMemory",
      message: "the container was killed at its memory limit; raise serving.resources.limits.memory",
      permanent: ends > 1,
    };
  const message = `${describeEnd(end)}; see kubectl logs --previous`;
  return { reason: ends > 1 ? "CrashLoop" : "Crashed", message, permanent: ends > 3 };
}

/** Whatever a killed container logged last, it was not about its end. */
function describeEnd({ exitCode, message }: V1ContainerStateTerminated): string {
  if (exitCode === KILLED) return "the container was killed (SIGKILL), though not for its memory";
  const lastWords = message?.trim().split("\n").at(-1);
  return `the container ended with exit code ${exitCode}${lastWords ? `: ${lastWords.slice(0, 500)}` : ""}`;
}

/** The exit code of a process that SIGKILL (9) ended. */
const KILLED = 128 + 9;

/** What the runtime wrote before it ended; undefined when it wrote something else. */
function terminationMessage(text: string | undefined): TerminationMessage | undefined {
  if (text === undefined) return undefined;
  try {
    const said: unknown = JSON.parse(text);
    return isTerminationMessage(said) ? said : undefined;
  } catch {
    return undefined; // another image's last words, or the end of a log
  }
}

function isTerminationMessage(value: unknown): value is TerminationMessage {
  if (typeof value !== "object" || value === null) return false;
  const { reason, message, permanent } = value as Partial<TerminationMessage>;
  return (
    LOAD_FAILURES.some((known) => known === reason) && typeof message === "string" && typeof permanent === "boolean"
  );
}

function starting(
  { status }: V1Pod,
  containers: readonly V1ContainerStatus[],
  complaint: string | undefined,
): PodFailure {
  const model = containers.find(({ name }) => name === RUNTIME_CONTAINER);
  if (model?.state?.running !== undefined) {
    if (model.ready) return beside(status?.containerStatuses ?? []);
    return model.started === true
      ? { reason: "NotReady", message: `GET /health: ${complaint ?? "the readiness probe fails"}`, permanent: false }
      : { reason: "Starting", message: "the model is loading", permanent: false };
  }
  const waiting = containers.map(({ state }) => state?.waiting).find((wait) => wait !== undefined);
  const why = complaint ?? waiting?.message ?? waiting?.reason;
  return { reason: "Starting", message: `the pod is starting${why ? `: ${why}` : ""}`, permanent: false };
}

/** The model's container is ready and the pod is not: another container, or a readiness gate, keeps it. */
function beside(containers: readonly V1ContainerStatus[]): PodFailure {
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const which = unready.length > 0 ? `the container ${unready.join(", ")} is not ready` : "a readiness gate is not met";
  return { reason: "NotReady", message: `the model is loaded, but ${which}`, permanent: false };
}
