import { childNames, serviceHost } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import { GRPC_PORT, HTTP_PORT } from "../../runtime/contract.ts";
import { clustersConfig, grpcCluster } from "../traffic/envoy-clusters.ts";
import type { ClustersConfig } from "../traffic/envoy-clusters.ts";
import { routesConfig } from "../traffic/envoy-routes.ts";
import type { RoutesConfig } from "../traffic/envoy-routes.ts";
import { sharesOf } from "../traffic/intervals.ts";
import type { Split } from "../traffic/intervals.ts";
import { podsForShare, replicaFloors } from "./capacity.ts";
import type { Observed } from "./observed.ts";
import type { PinnedRevision, RolloutRecord } from "./record.ts";
import { desiredRevisions } from "./revision.ts";
import type { DesiredRevision } from "./revision.ts";
import { checkSignatures } from "./signatures.ts";
import type { SignatureMismatch } from "./signatures.ts";
import { complete, drain, retarget, shift } from "./transitions.ts";
import type { PlanSettings } from "./transitions.ts";

export type WaitingFor = "Replicas" | "Checks" | "Routers" | "Clusters" | "Routes";

export interface PlannedRevision extends PinnedRevision {
  readonly id: string;
  /** Fewest pods; the number of pods where there is no autoscaling. */
  readonly floor: number;
  /** Percent that the spec asks for. */
  readonly desiredWeight: number;
  /** Whether the spec still asks for it, be it with weight 0. */
  readonly isDesired: boolean;
  /** Percent in the config that is written. */
  readonly appliedWeight: number;
}

export interface PlannedRouter {
  readonly image: string;
  readonly clusters: ClustersConfig;
  readonly routes: RoutesConfig;
}

/** Everything that has to be true of the children now. */
export interface Plan {
  readonly record: RolloutRecord;
  readonly revisions: readonly PlannedRevision[];
  /** Whom the front Service selects: a revision's pods, or the routers. */
  readonly front: { readonly via: "Router" } | { readonly via: "Service"; readonly revision: string };
  readonly router: PlannedRouter | undefined;
  /** What the change that is under way waits for; undefined when nothing is under way. */
  readonly waitingFor: WaitingFor | undefined;
  /** What keeps the change from going on until somebody changes something. */
  readonly mismatches: readonly SignatureMismatch[];
  /** Whether every ready router was seen to apply the split that is written. */
  readonly verified: boolean;
  /** When to look again although nothing may have changed. */
  readonly requeueAfterMs: number | undefined;
}

/** Routers and pods are asked, not watched. */
const POLL_MS = 1_000;

/** Decides who serves what share now, and what comes next. Pure: the same facts always give the same plan. */
export function planRollout(md: ValidModelDeployment, observed: Observed, now: number, settings: PlanSettings): Plan {
  const desired = desiredRevisions(md, observed.artifacts);
  const target = retarget(md, desired, observed, now, settings);
  const before = draft(md, desired, target, observed);
  const record =
    before.waitingFor === undefined && target.stage !== "Completed" ? nextStage(target, now, settings) : target;
  const settled = before.verified ? drain(record, desired, now, settings) : record;
  const plan = settled === target ? before : draft(md, desired, settled, observed);
  return { ...plan, requeueAfterMs: nextLook(plan, now) };
}

function nextStage(record: RolloutRecord, now: number, settings: PlanSettings): RolloutRecord {
  return record.stage === "Preparing" && routersServe(record) ? shift(record, now) : complete(record, now, settings);
}

function draft(
  md: ValidModelDeployment,
  desired: readonly DesiredRevision[],
  record: RolloutRecord,
  observed: Observed,
): Plan {
  const active = record.stage === "Preparing" ? record.from : record.to;
  const floors = replicaFloors(record, observed);
  const router = plannedRouter(md, desired, record, active.split);
  const signatures = checkSignatures(md, record, observed);
  const unmet = unmetNeed(record, floors, router, signatures, observed);
  return {
    record,
    revisions: plannedRevisions(desired, record, active.split, floors),
    front: front(record),
    router,
    waitingFor: unmet,
    mismatches: unmet === "Checks" && signatures !== "Pending" ? signatures : [],
    verified: router === undefined || !routersServe(record) || routersApply(router, observed),
    requeueAfterMs: undefined,
  };
}

function plannedRevisions(
  desired: readonly DesiredRevision[],
  record: RolloutRecord,
  split: Split,
  floors: ReadonlyMap<string, number>,
): PlannedRevision[] {
  const applied = sharesOf(split);
  const weights = new Map(desired.map(({ id, weight }) => [id, weight]));
  return Object.entries(record.revisions)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, revision]) => ({
      ...revision,
      id,
      floor: floors.get(id) ?? 1,
      desiredWeight: weights.get(id) ?? 0,
      isDesired: weights.has(id),
      appliedWeight: applied.get(id) ?? 0,
    }));
}

/** The selector moves last: in the write that completes the change. A first deployment has nobody to disturb. */
function front(record: RolloutRecord): Plan["front"] {
  const { via, split } = record.stage === "Completed" ? record.to : record.from;
  const [first] = split;
  return via === "Router" || first === undefined ? { via: "Router" } : { via: "Service", revision: first.revision };
}

function plannedRouter(
  md: ValidModelDeployment,
  desired: readonly DesiredRevision[],
  record: RolloutRecord,
  split: Split,
): PlannedRouter | undefined {
  if (record.router === undefined) return undefined;
  const { namespace, name } = md;
  const versions = new Map(Object.entries(record.revisions).map(([id, { version }]) => [id, version]));
  const grpc = new Set([...versions.keys()].filter((id) => record.revisions[id]?.grpc));
  const stickyHeader = md.spec.traffic?.sticky?.header;
  return {
    image: record.router.image,
    clusters: clustersConfig(
      [...versions]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([revision, version]) => ({
          revision,
          version,
          serviceHost: serviceHost(childNames.revision(name, revision), namespace),
          port: HTTP_PORT,
          ...(grpc.has(revision) && { grpcPort: GRPC_PORT }),
        })),
    ),
    routes: routesConfig({
      salt: `${namespace}/${name}`,
      ...(stickyHeader !== undefined && { stickyHeader }),
      split,
      versions,
      grpc,
      pins: pins(desired, record, split, versions),
    }),
  };
}

/** A pinned version is the revision that serves it; while a new one is prepared, that is still the old one. */
function pins(
  desired: readonly DesiredRevision[],
  record: RolloutRecord,
  split: Split,
  versions: ReadonlyMap<string, string>,
): Map<string, string> {
  const result = new Map(desired.map(({ id, version }) => [version, id]));
  if (record.stage !== "Preparing") return result;
  for (const { revision } of split) {
    const version = versions.get(revision);
    if (version !== undefined) result.set(version, revision);
  }
  return result;
}

/** The first thing, in the order of make before break, that the next stage still needs. */
function unmetNeed(
  record: RolloutRecord,
  floors: ReadonlyMap<string, number>,
  router: PlannedRouter | undefined,
  signatures: ReturnType<typeof checkSignatures>,
  observed: Observed,
): WaitingFor | undefined {
  if (record.stage === "Completed") return undefined;
  const takers = [...sharesOf(record.to.split).keys()];
  const needed = new Map(takers.map((id) => [id, podsForShare(record, id, floors.get(id) ?? 1, observed)]));
  const lacksPods = takers.some((id) => (observed.revisions.get(id)?.ready ?? 0) < (needed.get(id) ?? 1));
  if (lacksPods) return "Replicas";
  if (signatures.length > 0) return "Checks";
  if (router === undefined || !routersServe(record)) return undefined;
  const { ready, replicas } = observed.routers;
  // Pods and Deployments are watched apart: a router that only one of them has told of yet has not been asked.
  if (Math.min(ready.length, replicas?.ready ?? 0) < Math.max(1, replicas?.wanted ?? 1)) return "Routers";
  const haveClusters = ready.every(
    ({ clustersVersion, healthyHosts }) =>
      clustersVersion === router.clusters.version &&
      takers
        .flatMap((id) => [[id, id] as const, ...(record.revisions[id]?.grpc ? [[id, grpcCluster(id)] as const] : [])])
        .every(([id, cluster]) => (healthyHosts.get(cluster) ?? 0) >= (needed.get(id) ?? 1)),
  );
  if (!haveClusters) return "Clusters";
  return record.stage === "Shifting" && !routersApply(router, observed) ? "Routes" : undefined;
}

/** Routers that only drain are asked for nothing. */
function routersServe({ from, to }: RolloutRecord): boolean {
  return from.via === "Router" || to.via === "Router";
}

function routersApply({ routes }: PlannedRouter, { routers }: Observed): boolean {
  return routers.ready.length > 0 && routers.ready.every(({ routesHash }) => routesHash === routes.hash);
}

function nextLook({ waitingFor, mismatches, verified, record }: Plan, now: number): number | undefined {
  if (waitingFor === "Checks" && mismatches.length === 0) return POLL_MS;
  if (waitingFor === "Clusters" || waitingFor === "Routes" || !verified) return POLL_MS;
  const ends = [...Object.values(record.draining), record.router?.drainingUntil].flatMap((until) =>
    until === undefined ? [] : [Date.parse(until)],
  );
  return ends.length === 0 ? undefined : Math.max(0, Math.min(...ends) - now);
}
