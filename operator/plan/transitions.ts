import type { ValidModelDeployment } from "../api/parse.ts";
import { rebalance, sharesOf, splitOf } from "../traffic/intervals.ts";
import type { Split } from "../traffic/intervals.ts";
import type { Observed } from "./observed.ts";
import type { PinnedRevision, RolloutRecord, Route, Via } from "./record.ts";
import { canonicalJson } from "./revision.ts";
import type { DesiredRevision } from "./revision.ts";

export interface PlanSettings {
  readonly runtimeImage: string;
  readonly routerImage: string;
  /** How long a revision keeps its pods after it lost its last share. */
  readonly scaleDownDelayMs: number;
}

/**
 * The record with the spec's split as its target. Unchanged when that is its target already; a new target abandons
 * the one under way: what was taken for it goes back to the base first.
 */
export function retarget(
  md: ValidModelDeployment,
  desired: readonly DesiredRevision[],
  observed: Observed,
  now: number,
  settings: PlanSettings,
): RolloutRecord {
  const { record } = observed;
  const shares = new Map(desired.filter(({ weight }) => weight > 0).map(({ id, weight }) => [id, weight]));
  const via = neededVia(md);
  if (record === undefined) return firstRecord(via, splitOf(shares), desired, now, settings);
  const sameTarget = record.to.via === via && equalShares(sharesOf(record.to.split), shares);
  if (sameTarget) return withRevisions(record, desired, settings);
  const base = servingBase(record, observed);
  if (base.split.length === 0) {
    const first = firstRecord(via, splitOf(shares), desired, now, settings);
    return abandon(first, record, desired, settings);
  }
  const { split } = rebalance(base.split, shares, successors(record, desired));
  const next: RolloutRecord = {
    ...record,
    stage: "Preparing",
    base: writable(base),
    from: writable(base),
    to: writable({ via, split }),
    step: 0,
    stepStarted: iso(now),
    pausedFor: 0,
    ...routerFor(base.via === "Router" || via === "Router", record, settings),
  };
  return abandon(next, record, desired, settings);
}

/** From now on the routers are given the split of `to`. */
export function shift(record: RolloutRecord, now: number): RolloutRecord {
  return { ...record, sequence: record.sequence + 1, stage: "Shifting", stepStarted: iso(now) };
}

/** `to` serves: it is the base of the next change. */
export function complete(record: RolloutRecord, now: number, settings: PlanSettings): RolloutRecord {
  const drainingUntil = iso(now + settings.scaleDownDelayMs);
  const routerLeaves = record.router !== undefined && record.to.via === "Service";
  return {
    ...record,
    sequence: record.sequence + 1,
    stage: "Completed",
    base: record.to,
    from: record.to,
    stepStarted: iso(now),
    ...(routerLeaves && record.router && { router: { ...record.router, drainingUntil } }),
  };
}

/**
 * Begins the drain of what is in no split and not asked for, and forgets what has drained for long enough: its children
 * are then pruned. Only for a split that every router was seen to apply: before, one of them may still send requests.
 */
export function drain(
  record: RolloutRecord,
  desired: readonly DesiredRevision[],
  now: number,
  { scaleDownDelayMs }: PlanSettings,
): RolloutRecord {
  const needed = new Set([...desired.map(({ id }) => id), ...inSplits(record)]);
  const isOver = (until: string): boolean => Date.parse(until) <= now;
  const draining = Object.fromEntries(
    Object.keys(record.revisions)
      .filter((id) => !needed.has(id))
      .map((id) => [id, record.draining[id] ?? iso(now + scaleDownDelayMs)] as const)
      .filter(([, until]) => !isOver(until)),
  );
  const kept = Object.entries(record.revisions).filter(([id]) => needed.has(id) || draining[id] !== undefined);
  const { router, ...rest } = record;
  const routerStays = router !== undefined && !(router.drainingUntil !== undefined && isOver(router.drainingUntil));
  return changed(record, {
    ...rest,
    ...(routerStays && { router }),
    revisions: Object.fromEntries(kept),
    draining,
  });
}

/** One version that nothing has to split or pin needs no hop in between. */
function neededVia({ versions, spec }: ValidModelDeployment): Via {
  return versions.length > 1 || spec.traffic?.sticky !== undefined ? "Router" : "Service";
}

/** Nothing serves yet, so there is nothing to protect: the split applies at once. */
function firstRecord(
  via: Via,
  split: Split,
  desired: readonly DesiredRevision[],
  now: number,
  settings: PlanSettings,
): RolloutRecord {
  const to = writable({ via, split });
  return {
    sequence: 1,
    stage: "Shifting",
    base: { via, split: [] },
    from: to,
    to,
    step: 0,
    stepStarted: iso(now),
    pausedFor: 0,
    failed: [],
    nonces: {},
    revisions: pin({}, desired, settings),
    draining: {},
    ...routerFor(via === "Router", undefined, settings),
  };
}

/** In-place changes of the revisions that the spec asks for, and revisions that take no share. */
function withRevisions(
  record: RolloutRecord,
  desired: readonly DesiredRevision[],
  settings: PlanSettings,
): RolloutRecord {
  const revisions = pin(record.revisions, desired, settings);
  const draining = Object.fromEntries(
    Object.entries(record.draining).filter(([id]) => !desired.some((revision) => revision.id === id)),
  );
  return changed(record, { ...record, revisions, draining });
}

/** The record itself when nothing is different, else the next in sequence. */
function changed(record: RolloutRecord, next: RolloutRecord): RolloutRecord {
  return canonicalJson(next) === canonicalJson(record) ? record : { ...next, sequence: record.sequence + 1 };
}

/** A new target in place of the record's; what only the old one needed stays until no router sends to it: see `drain`. */
function abandon(
  next: RolloutRecord,
  record: RolloutRecord,
  desired: readonly DesiredRevision[],
  settings: PlanSettings,
): RolloutRecord {
  const needed = new Set([...desired.map(({ id }) => id), ...inSplits(next)]);
  return {
    ...next,
    sequence: record.sequence + 1,
    revisions: pin(record.revisions, desired, settings),
    draining: Object.fromEntries(Object.entries(record.draining).filter(([id]) => !needed.has(id))),
  };
}

/** What there is to fall back to: the base, or a first target that serves although it never completed. */
function servingBase(record: RolloutRecord, observed: Observed): Route {
  if (record.base.split.length > 0) return record.base;
  const serves = record.to.split.some(({ revision }) => (observed.revisions.get(revision)?.ready ?? 0) > 0);
  return serves ? record.to : record.base;
}

/** The same version's new revision takes over the users of the old one. */
function successors(record: RolloutRecord, desired: readonly DesiredRevision[]): Map<string, string> {
  const byVersion = new Map(desired.map(({ version, id }) => [version, id]));
  return new Map(
    Object.entries(record.revisions).flatMap(([id, { version }]) => {
      const successor = byVersion.get(version);
      return successor === undefined || successor === id ? [] : [[id, successor] as const];
    }),
  );
}

/** The revisions that run, each with what was the default when it was made: an upgrade rolls nothing. */
function pin(
  pinned: Readonly<Record<string, PinnedRevision>>,
  desired: readonly DesiredRevision[],
  { runtimeImage }: PlanSettings,
): Record<string, PinnedRevision> {
  const current = desired.map(({ id, weight: _weight, image: own, ...revision }): [string, PinnedRevision] => {
    const made = pinned[id] ?? { image: own ?? runtimeImage, grpc: own === undefined }; // who knows what another image speaks
    return [id, { ...revision, image: own ?? made.image, ...(made.grpc && { grpc: true }) }];
  });
  return { ...pinned, ...Object.fromEntries(current) };
}

function routerFor(
  isNeeded: boolean,
  record: RolloutRecord | undefined,
  { routerImage }: PlanSettings,
): Pick<RolloutRecord, "router"> {
  return isNeeded ? { router: { image: record?.router?.image ?? routerImage } } : {};
}

function inSplits({ base, from, to }: RolloutRecord): string[] {
  return [base, from, to].flatMap(({ split }) => split.map(({ revision }) => revision));
}

function equalShares(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([id, share]) => b.get(id) === share);
}

function writable({ via, split }: Route): RolloutRecord["to"] {
  return { via, split: [...split] };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
