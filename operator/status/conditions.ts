import type { Condition } from "../api/status.ts";

export interface Verdict {
  readonly type: "Available" | "Ready" | "Reconciling" | "Stalled" | "AliasStale";
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/** The conditions of a status; a transition time moves only when the status does. */
export function conditions(
  verdicts: readonly Verdict[],
  previous: readonly Condition[],
  observedGeneration: number,
  now: number,
): Condition[] {
  return verdicts.map(({ type, status, reason, message }) => {
    const before = previous.find((condition) => condition.type === type);
    const lastTransitionTime =
      before?.status === status ? before.lastTransitionTime : new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
    return { type, status, reason, message, lastTransitionTime, observedGeneration };
  });
}
