import type { ValidModelDeployment } from "../api/parse.ts";
import type { ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";
import type { Plan } from "../plan/plan-rollout.ts";
import type { Verdict } from "./conditions.ts";
import type { Applied, Facts } from "./facts.ts";
import { misfit, revisionFailure } from "./revision-status.ts";

interface Stall {
  readonly reason: string;
  readonly message: string;
}

/**
 * Available: some version serves. Ready: this generation is fully live; Unknown while it is being worked on, False when
 * it will not become live by waiting. Reconciling and Stalled (kstatus) are present only when True.
 */
export function verdicts(
  md: ValidModelDeployment,
  plan: Plan,
  revisions: readonly RevisionStatus[],
  facts: Facts,
  applied: Applied,
  previous: ModelDeploymentStatus,
): Verdict[] {
  const available = availability(plan, revisions, facts);
  const stall = stallOf(plan, facts, applied);
  if (stall !== undefined)
    return [available, { type: "Ready", status: "False", ...stall }, { type: "Stalled", status: "True", ...stall }];
  const full = quotaOf(applied);
  const work = full ?? workUnderWay(plan, revisions, facts);
  const isRoutine = full === undefined && staysReady(md, plan, revisions, facts, previous);
  if (work === undefined || isRoutine)
    return [available, { type: "Ready", status: "True", reason: "Live", message: "this generation is fully live" }];
  return [available, { type: "Ready", status: "Unknown", ...work }, { type: "Reconciling", status: "True", ...work }];
}

function availability(plan: Plan, revisions: readonly RevisionStatus[], facts: Facts): Verdict {
  const type = "Available";
  if (plan.front.via === "Router" && facts.routers.ready.length === 0)
    return { type, status: "False", reason: "NoReadyRouter", message: "no router pod is ready" };
  const serving = revisions.filter(({ weight, readyReplicas }) => weight.applied > 0 && readyReplicas > 0);
  if (serving.length === 0)
    return { type, status: "False", reason: "NoReadyPods", message: "no version that takes traffic has a ready pod" };
  const names = serving.map(({ revision }) => revision).join(", ");
  return { type, status: "True", reason: "Serving", message: `${names} ${serving.length === 1 ? "serves" : "serve"}` };
}

function stallOf(plan: Plan, facts: Facts, { notOwned, refused }: Applied): Stall | undefined {
  if (notOwned.length > 0)
    return {
      reason: "NotOwned",
      message: `${notOwned.join(", ")} exists and belongs to somebody else; delete or rename it, or rename this object`,
    };
  const [refusal] = refused.filter(({ quota }) => !quota);
  if (refusal !== undefined) return { reason: "Refused", message: `${refusal.child}: ${refusal.message}` };
  for (const { id, isDesired } of plan.revisions) {
    const isAsked = isDesired || plan.record.to.split.some(({ revision }) => revision === id);
    const hasPods = (facts.revisions.get(id)?.ready ?? 0) > 0;
    const failure = isAsked ? (hasPods ? misfit(id, plan, facts) : revisionFailure(id, facts)) : undefined;
    if (failure?.permanent) return { reason: failure.reason, message: `${id}: ${failure.message}` };
  }
  return undefined;
}

/** Not stuck: the quota has room again as soon as something else goes, and then the child is made. */
function quotaOf({ refused }: Applied): Stall | undefined {
  const full = refused.find(({ quota }) => quota);
  return full && { reason: "QuotaExceeded", message: `${full.child} cannot be made: ${full.message}` };
}

const WAITING = {
  Checks: "to be told which rows the new revision's model takes",
  Routers: "for a ready router",
  Clusters: "until every router knows the versions and their pods",
  Routes: "until every router applies the split",
} as const;

function workUnderWay(plan: Plan, revisions: readonly RevisionStatus[], facts: Facts): Stall | undefined {
  const floors = new Map(plan.revisions.filter(({ isDesired }) => isDesired).map(({ id, floor }) => [id, floor]));
  const short = revisions
    .filter(({ revision }) => floors.has(revision))
    .map((status) => ({ ...status, replicas: Math.max(status.replicas, floors.get(status.revision) ?? 0) }))
    .filter(({ readyReplicas, replicas }) => readyReplicas < replicas);
  if (plan.waitingFor !== undefined && plan.waitingFor !== "Replicas")
    return { reason: `WaitingFor${plan.waitingFor}`, message: `waits ${WAITING[plan.waitingFor]}` };
  if (plan.waitingFor === "Replicas" || short.length > 0)
    return { reason: whyShort(short), message: `waits for pods: ${short.map(describePods).join("; ")}` };
  if (!plan.verified) return { reason: "WaitingForRoutes", message: `waits ${WAITING.Routes}` };
  const { wanted, ready } = facts.routers.replicas ?? { wanted: 0, ready: 0 };
  if (plan.front.via === "Router" && ready < wanted)
    return { reason: "WaitingForRouters", message: `${ready} of ${wanted} routers are ready` };
  return plan.record.stage === "Completed" ? undefined : { reason: "Shifting", message: "moves the traffic" };
}

/** What may pass by itself is worth knowing too; that a pod starts is not. */
function whyShort(short: readonly RevisionStatus[]): string {
  const reasons = short.flatMap(({ reason }) => reason ?? []);
  return reasons.find((reason) => reason !== "Starting" && reason !== "NotReady") ?? "WaitingForReplicas";
}

function describePods({ revision, readyReplicas, replicas, reason, message }: RevisionStatus): string {
  const why = reason === undefined ? "" : ` (${reason}: ${message})`;
  return `${revision} has ${readyReplicas} of ${replicas} ready${why}`;
}

/** Once live, a generation stays so while each version still serves: a drained node or a restarted pod is routine. */
function staysReady(
  { generation }: ValidModelDeployment,
  plan: Plan,
  revisions: readonly RevisionStatus[],
  facts: Facts,
  previous: ModelDeploymentStatus,
): boolean {
  const wasReady = previous.conditions?.some(
    ({ type, status, observedGeneration }) =>
      type === "Ready" && status === "True" && observedGeneration === generation,
  );
  const desired = new Set(plan.revisions.filter(({ isDesired }) => isDesired).map(({ id }) => id));
  const serves = revisions.every(({ revision, readyReplicas }) => !desired.has(revision) || readyReplicas > 0);
  const routed = plan.front.via === "Service" || facts.routers.ready.length > 0;
  return wasReady === true && plan.record.stage === "Completed" && serves && routed;
}
