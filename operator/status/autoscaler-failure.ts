import type { V2HorizontalPodAutoscalerCondition } from "@kubernetes/client-node";
import type { PodFailure } from "./pod-failure.ts";

/** New pods have no metrics for so long: that an HPA cannot scale them yet is no news. */
const GRACE_MS = 60_000;

/**
 * Why an HPA does not scale, in its own words; undefined while it does. `before` is what the status says of the revision
 * now: it stays while the HPA's reason does, because an HPA's words may differ at each of its looks, every 15 s.
 */
export function autoscalerFailure(
  conditions: readonly V2HorizontalPodAutoscalerCondition[],
  before: string | undefined,
  now: number,
): PodFailure | undefined {
  const failed = conditions.find((each) => isFailure(each) && failedFor(each, now) >= GRACE_MS);
  if (failed === undefined) return undefined;
  const start = `the HPA does not scale: ${failed.reason ?? failed.type}`;
  const isKnown = before === start || before?.startsWith(`${start}: `);
  const message = isKnown ? before : `${start}${failed.message ? `: ${failed.message}` : ""}`;
  return message === undefined ? undefined : { reason: "NotScaling", message, permanent: false };
}

/** Milliseconds until what an HPA says now counts; undefined when it says nothing, or counts already. */
export function autoscalerCountsIn(
  conditions: readonly V2HorizontalPodAutoscalerCondition[],
  now: number,
): number | undefined {
  const waits = conditions.filter(isFailure).map((each) => GRACE_MS - failedFor(each, now));
  const ahead = waits.filter((wait) => wait > 0);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** That it is at its minimum or its maximum is what was asked for; that somebody scaled to zero is too. */
function isFailure({ type, status, reason }: V2HorizontalPodAutoscalerCondition): boolean {
  return (type === "AbleToScale" || type === "ScalingActive") && status === "False" && reason !== "ScalingDisabled";
}

/** Times are text here, whatever client-node's types say. */
function failedFor({ lastTransitionTime }: V2HorizontalPodAutoscalerCondition, now: number): number {
  return lastTransitionTime === undefined ? GRACE_MS : now - new Date(lastTransitionTime).getTime();
}
