import type { Split } from "../traffic/intervals.ts";
import { sharesOf } from "../traffic/intervals.ts";
import type { Serving } from "../api/serving.ts";
import type { Observed } from "./observed.ts";
import type { RolloutRecord } from "./record.ts";

/** Pods that a Deployment or an HPA starts with. */
function baseReplicas({ replicas, autoscaling }: Serving): number {
  return autoscaling ? (autoscaling.minReplicas ?? 1) : (replicas ?? 1);
}

/**
 * The fewest pods of each revision while a change is under way: a revision that serves keeps what it has, so that there
 * is a way back, and one that is about to serve gets its share of the pods that serve now. Otherwise what the spec says.
 */
export function replicaFloors(record: RolloutRecord, observed: Observed): Map<string, number> {
  const serving = podsOf(record.from.split, observed, "wanted");
  const fromShares = sharesOf(record.from.split);
  const toShares = sharesOf(record.to.split);
  return new Map(
    Object.entries(record.revisions).map(([id, revision]) => {
      const least = baseReplicas(revision.serving);
      if (record.stage === "Completed") return [id, least];
      const kept = record.base.split.length > 0 && fromShares.has(id) ? (observed.revisions.get(id)?.wanted ?? 0) : 0;
      const { autoscaling } = revision.serving;
      if (autoscaling === undefined) return [id, Math.max(least, kept)];
      const share = Math.ceil((serving * (toShares.get(id) ?? 0)) / 100);
      return [id, Math.min(autoscaling.maxReplicas, Math.max(least, kept, share))];
    }),
  );
}

/**
 * Ready pods that a revision needs before it takes its share of `to`: that share of the pods that are ready now, at most
 * what it has been given. A cluster too full for one more pod than before must not hold a change up for ever; nor must a
 * revision that is to lose users because it has lost its pods.
 */
export function podsForShare({ base, from, to }: RolloutRecord, id: string, floor: number, observed: Observed): number {
  const share = sharesOf(to.split).get(id) ?? 0;
  if (base.via === to.via && share <= (sharesOf(base.split).get(id) ?? 0)) return 0;
  const ready = podsOf(from.split, observed, "ready");
  return Math.min(floor, Math.max(1, Math.ceil((ready * share) / 100)));
}

function podsOf(split: Split, observed: Observed, count: "wanted" | "ready"): number {
  const revisions = new Set(split.map(({ revision }) => revision));
  return [...revisions].reduce((sum, id) => sum + (observed.revisions.get(id)?.[count] ?? 0), 0);
}
