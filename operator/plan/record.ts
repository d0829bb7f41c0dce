import { z } from "zod";
import { podTemplate } from "../api/pod-template.ts";
import { serving } from "../api/serving.ts";
import { source } from "../api/source.ts";
import { BUCKETS } from "../traffic/intervals.ts";
import type { Split } from "../traffic/intervals.ts";

/** How requests reach pods: the front Service selects one revision's pods, or routers that split. */
export type Via = "Service" | "Router";

const split = z
  .array(z.object({ revision: z.string(), buckets: z.int().min(1).max(BUCKETS) }))
  .refine(
    (intervals) => intervals.length === 0 || intervals.reduce((sum, { buckets }) => sum + buckets, 0) === BUCKETS,
    `the buckets must sum to ${BUCKETS}`,
  );
const route = z.object({ via: z.enum(["Service", "Router"]), split });
const instant = z.iso.datetime();

/** Everything needed to build a revision's children again after its version has left the spec. */
const pinnedRevision = z.object({
  version: z.string(),
  image: z.string(),
  /** Absent where the image is the user's own. */
  source: source.exactOptional(),
  /** What an alias in the source's uri named when the revision was made: `models:/Loan/7`. */
  artifact: z.string().exactOptional(),
  serving,
  podTemplates: z.array(podTemplate).readonly().exactOptional(),
  /** Whether its pods were made to speak gRPC too. Those of older operators were not, and an upgrade rolls nothing. */
  grpc: z.literal(true).exactOptional(),
});

const record = z.object({
  sequence: z.int().min(1),
  /**
   * Preparing: what `to` needs is made ready while `from` serves. Shifting: routers take the split of `to`.
   * Completed: `to` serves, and is the base of the next change.
   */
  stage: z.enum(["Preparing", "Shifting", "Completed"]),
  /** The split that last completed, to which a rollback returns; empty before the first. */
  base: route,
  /** What serves while `to` is being prepared. */
  from: route,
  to: route,
  /** Index of the running step; a change without steps has the one step 0. */
  step: z.int().min(0),
  stepStarted: instant,
  /** Seconds of the running step that were spent paused, which do not count against its deadline. */
  pausedFor: z.number().min(0),
  /** Revisions that are not tried again before the spec changes. */
  failed: z.array(z.string()),
  /** The last command of each kind that was obeyed. */
  nonces: z.record(z.string(), z.string()),
  /** Every revision that has pods, by id. */
  revisions: z.record(z.string(), pinnedRevision),
  /** Until when a revision without a share keeps its pods, by id. */
  draining: z.record(z.string(), instant),
  /** Image of the routers, and until when they stay although the Service no longer selects them. */
  router: z.object({ image: z.string(), drainingUntil: instant.exactOptional() }).exactOptional(),
});

export interface Route {
  readonly via: Via;
  readonly split: Split;
}
export type PinnedRevision = z.infer<typeof pinnedRevision>;

/**
 * What a restarted operator needs in order to go on: written, with a resourceVersion precondition, before it is acted
 * on. The first copy is an annotation of the front Service, the second is in the status; the higher sequence wins.
 */
export type RolloutRecord = z.infer<typeof record>;

/** The newest of the copies that can be read; undefined when there is none. Of two that are as new, the first. */
export function newestRecord(copies: readonly unknown[]): RolloutRecord | undefined {
  for (const copy of copies.toSorted((a, b) => sequenceOf(b) - sequenceOf(a))) {
    const parsed = record.safeParse(copy);
    if (parsed.success) return parsed.data;
  }
  return undefined;
}

/** Of something that may be no record at all. */
function sequenceOf(copy: unknown): number {
  const { sequence } = (copy ?? {}) as { sequence?: unknown };
  return typeof sequence === "number" ? sequence : 0;
}
