import { isReady } from "../cluster/endpoints.ts";
import type { Pod } from "../cluster/objects.ts";
import type { ModelDeployment } from "./model-deployment.ts";

export interface Line {
  mark: "waiting" | "done" | "failed";
  name: string;
  /** What it waits for, or how it ended. */
  detail: string;
}

export type Outcome = { is: "waiting" } | { is: "ready" } | { is: "failed"; why: string };

/**
 * Ready when this very generation is fully live; failed when it cannot become so without the user. Of a `version` it does
 * not count what became of the others' revisions.
 */
export function outcomeOf(model: ModelDeployment | undefined, version?: string): Outcome {
  const { status, metadata } = model ?? {};
  if (status === undefined || status.observedGeneration !== metadata?.generation) return { is: "waiting" };
  const isMeant = (of: string) => version === undefined || of === version;
  const failed = status.revisions?.find((revision) => revision.state === "Failed" && isMeant(revision.version));
  if (failed !== undefined) return { is: "failed", why: `${failed.reason ?? "Failed"}: ${failed.message ?? ""}` };
  const condition = (type: string) => status.conditions?.find((candidate) => candidate.type === type);
  const stalled = condition("Stalled");
  if (stalled?.status === "True") return { is: "failed", why: `${stalled.reason}: ${stalled.message}` };
  return { is: condition("Ready")?.status === "True" ? "ready" : "waiting" };
}

/** A line for the model and one for each of its pods. */
export function modelLines(name: string, model: ModelDeployment | undefined, pods: readonly Pod[]): Line[] {
  return [modelLine(name, model), ...[...pods].sort(byName).map(podLine)];
}

function modelLine(name: string, model: ModelDeployment | undefined): Line {
  const outcome = outcomeOf(model);
  const title = `ModelDeployment ${name}`;
  if (outcome.is === "ready") return { mark: "done", name: title, detail: "Ready" };
  if (outcome.is === "failed") return { mark: "failed", name: title, detail: outcome.why };
  const isObserved = model?.status?.observedGeneration === model?.metadata.generation;
  const ready = model?.status?.conditions?.find(({ type }) => type === "Ready");
  return { mark: "waiting", name: title, detail: (isObserved && ready?.message) || "waiting for the operator" };
}

function podLine(pod: Pod): Line {
  const name = `pod ${pod.metadata.name}`;
  if (pod.metadata.deletionTimestamp !== undefined) return { mark: "waiting", name, detail: "ending" };
  if (isReady(pod)) return { mark: "done", name, detail: `Ready at ${pod.status?.podIP ?? "?"}` };
  const states = pod.status?.containerStatuses?.map(({ state }) => state) ?? [];
  const waiting = states.find((state) => state?.waiting !== undefined)?.waiting;
  if (waiting !== undefined)
    return { mark: "waiting", name, detail: [waiting.reason, waiting.message].filter(Boolean).join(": ") };
  if (states.some((state) => state?.running !== undefined))
    return { mark: "waiting", name, detail: "running, not ready yet" };
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  return { mark: "waiting", name, detail: scheduled?.message ?? "waiting for a node" };
}

function byName(a: Pod, b: Pod): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
