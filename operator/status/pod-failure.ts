import type { V1ContainerStateTerminated, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { LOAD_FAILURES } from "../../runtime/contract.ts";
import type { TerminationMessage } from "../../runtime/contract.ts";
import type { RevisionReason } from "../api/status.ts";

/** Why a pod is not ready, in words that say what to do. */
export interface PodFailure {
  readonly reason: RevisionReason;
  readonly message: string;
  /** True when waiting does not help: somebody has to change the spec, the artifact or the cluster. */
  readonly permanent: boolean;
}

/** The failure that explains most: a permanent one before one that may pass, and that of a pod which is gone last. */
export function worstFailure(pods: readonly V1Pod[]): PodFailure | undefined {
  const ofPods = (some: readonly V1Pod[]): PodFailure[] =>
    some.map(podFailure).filter((failure) => failure !== undefined);
  const failures = [...ofPods(pods.filter((pod) => !hasEnded(pod))), ...ofPods(pods.filter(hasEnded))];
  return failures.find(({ permanent }) => permanent) ?? failures[0];
}

/** Undefined for a pod that is ready or on its way out. */
export function podFailure(pod: V1Pod): PodFailure | undefined {
  const { status, metadata } = pod;
  if (metadata?.deletionTimestamp !== undefined || isReady(pod)) return undefined;
  if (hasEnded(pod) && status?.reason !== undefined) {
    const why = [status.reason, status.message].filter(Boolean).join(": ");
    return {
      reason: "NotReady",
      message: `the pod ended on its node (${why}); another one takes its place`,
      permanent: false,
    };
  }
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
  return failures[0] ?? starting(containers);
}

export function isReady({ status, metadata }: V1Pod): boolean {
  const isGoing = metadata?.deletionTimestamp !== undefined;
  return !isGoing && (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

/** As a whole, whatever its containers would do: its node evicted it, was shut down or would not take it. */
function hasEnded({ status }: V1Pod): boolean {
  return status?.phase === "Failed";
}

function containerFailure({ state, lastState, restartCount, image }: V1ContainerStatus): PodFailure | undefined {
  const waiting = state?.waiting;
  if (waiting?.reason !== undefined && IMAGE_REASONS.has(waiting.reason))
    return {
      reason: "ImagePull",
      message: `pulling ${image}: ${waiting.message ?? waiting.reason}; is the name right, and may the node pull it?`,
      permanent: true,
    };
  if (waiting?.reason === "CreateContainerConfigError")
    return { reason: "InvalidConfiguration", message: waiting.message ?? waiting.reason, permanent: true };
  // A container that runs again says nothing yet, but what ended it the last time is what people want to know.
  const end = state?.terminated ?? lastState?.terminated;
  const ends = restartCount + (state?.terminated ? 1 : 0);
  return end && terminated(end, restartCount, ends > 1 || waiting?.reason === "CrashLoopBackOff");
}

const IMAGE_REASONS = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);

function terminated(end: V1ContainerStateTerminated, restarts: number, isLooping: boolean): PodFailure {
  const said = terminationMessage(end.message);
  if (said !== undefined) return said;
  if (end.reason === "OOMKilled")
    return {
      reason: "OutOfMemory",
      message: "the container was killed at its memory limit; raise serving.resources.limits.memory",
      permanent: restarts > 0,
    };
  if (!isLooping) return { reason: "Starting", message: `${describeEnd(end)}; it is started again`, permanent: false };
  return { reason: "CrashLoop", message: `${describeEnd(end)}; see kubectl logs --previous`, permanent: restarts > 2 };
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

function starting(containers: readonly V1ContainerStatus[]): PodFailure {
  const running = containers.some(({ state }) => state?.running !== undefined);
  const waiting = containers.map(({ state }) => state?.waiting).find((wait) => wait !== undefined);
  if (running) {
    const hasServed = containers.some(({ started }) => started === true);
    return hasServed
      ? { reason: "NotReady", message: "the readiness probe of GET /health fails", permanent: false }
      : { reason: "Starting", message: "the model is loading", permanent: false };
  }
  const why = waiting?.message ?? waiting?.reason;
  return { reason: "Starting", message: `the pod is starting${why ? `: ${why}` : ""}`, permanent: false };
}
