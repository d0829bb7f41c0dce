import type { V1ContainerState, V1ContainerStateTerminated, V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
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

/** The failure that explains most: a permanent one before one that may pass. */
export function worstFailure(pods: readonly V1Pod[]): PodFailure | undefined {
  const failures = pods.map(podFailure).filter((failure) => failure !== undefined);
  return failures.find(({ permanent }) => permanent) ?? failures[0];
}

/** Undefined for a pod that is ready or on its way out. */
export function podFailure(pod: V1Pod): PodFailure | undefined {
  const { status, metadata } = pod;
  if (metadata?.deletionTimestamp !== undefined || isReady(pod)) return undefined;
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
  return (
    terminated(state, restartCount) ??
    (state?.running ? undefined : terminated(lastState, restartCount)) ??
    recurring(state, lastState, restartCount)
  );
}

const IMAGE_REASONS = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);

/** A container that runs again says nothing yet, but what ended it the last time is what people want to know. */
function recurring(
  state: V1ContainerState | undefined,
  lastState: V1ContainerState | undefined,
  restarts: number,
): PodFailure | undefined {
  return state?.running && restarts > 0 ? terminated(lastState, restarts) : undefined;
}

function terminated(state: V1ContainerState | undefined, restarts: number): PodFailure | undefined {
  const end = state?.terminated;
  if (end === undefined) return undefined;
  const said = terminationMessage(end.message);
  if (said !== undefined) return said;
  if (end.reason === "OOMKilled")
    return {
      reason: "OutOfMemory",
      message: "the container was killed at its memory limit; raise serving.resources.limits.memory",
      permanent: restarts > 0,
    };
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
