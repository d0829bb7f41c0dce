import { COMPONENTS, LABELS, serviceHost } from "../api/names.ts";
import type { Problem, ValidModelDeployment } from "../api/parse.ts";
import type { Condition, ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";
import type { AliasProblem } from "../plan/aliases.ts";
import type { Plan } from "../plan/plan-rollout.ts";
import { conditions } from "./conditions.ts";
import type { Verdict } from "./conditions.ts";
import type { Applied, Facts } from "./facts.ts";
import { revisionStatus } from "./revision-status.ts";
import { verdicts } from "./verdicts.ts";

/** The whole status, from what is observed alone; the previous one gives the times of transitions. */
export function computeStatus(
  md: ValidModelDeployment,
  plan: Plan,
  facts: Facts,
  applied: Applied,
  previous: ModelDeploymentStatus,
  now: number,
): ModelDeploymentStatus {
  const revisions = plan.revisions.map((revision) => revisionStatus(revision, plan, facts, previous, now));
  const judged = [...verdicts(md, plan, revisions, facts, applied, previous), ...staleAliases(facts)];
  const step = plan.waitingFor ?? (plan.record.stage === "Completed" ? undefined : plan.record.stage);
  return {
    observedGeneration: md.generation,
    phase: phaseOf(judged),
    ...(step !== undefined && { step }),
    split: splitText(revisions),
    url: url(md, facts),
    replicas: sum(revisions.map(({ replicas }) => replicas)),
    readyReplicas: sum(revisions.map(({ readyReplicas }) => readyReplicas)),
    ...scaleSelector(md, revisions),
    revisions,
    rollout: plan.record,
    conditions: conditions(judged, previous.conditions ?? [], md.generation, now),
  };
}

/** Why an object cannot be reconciled as it is. */
export interface Hold {
  readonly reason: "InvalidSpec" | "StateLost" | AliasProblem["reason"];
  readonly message: string;
}

/** What serves stays, and the reason is said. */
export function heldStatus(
  generation: number,
  hold: Hold,
  previous: ModelDeploymentStatus,
  now: number,
): ModelDeploymentStatus {
  const available = previous.conditions?.find(({ type }) => type === "Available");
  const judged: Verdict[] = [
    availableAsBefore(available),
    { type: "Ready", status: "False", ...hold },
    { type: "Stalled", status: "True", ...hold },
  ];
  return {
    ...previous,
    observedGeneration: generation,
    phase: available?.status === "True" ? "Degraded" : "Failed",
    conditions: conditions(judged, previous.conditions ?? [], generation, now),
  };
}

/** While suspended nothing is planned; whether something serves is still told. */
export function suspendedStatus(
  generation: number,
  previous: ModelDeploymentStatus,
  now: number,
): ModelDeploymentStatus {
  const message = "spec.suspend is true: nothing is changed until it is false again";
  const judged: Verdict[] = [
    availableAsBefore(previous.conditions?.find(({ type }) => type === "Available")),
    { type: "Ready", status: "Unknown", reason: "Suspended", message },
  ];
  return {
    ...previous,
    observedGeneration: generation,
    phase: "Suspended",
    conditions: conditions(judged, previous.conditions ?? [], generation, now),
  };
}

export function problemsText(problems: readonly Problem[]): string {
  return problems.map(({ field, message }) => `${field}: ${message}`).join("; ");
}

function availableAsBefore(before: Condition | undefined): Verdict {
  return before === undefined
    ? { type: "Available", status: "False", reason: "NotReconciled", message: "nothing has been created yet" }
    : { type: "Available", status: before.status, reason: before.reason, message: before.message };
}

function staleAliases({ stale = [] }: Facts): Verdict[] {
  const [first] = stale;
  if (first === undefined) return [];
  const message = stale.map((problem) => problem.message).join("; ");
  return [
    { type: "AliasStale", status: "True", reason: first.reason, message: `${message}. What it named before stays` },
  ];
}

function phaseOf(judged: readonly Verdict[]): NonNullable<ModelDeploymentStatus["phase"]> {
  const is = (type: Verdict["type"]): boolean =>
    judged.some((verdict) => verdict.type === type && verdict.status === "True");
  if (is("Ready")) return "Serving";
  if (is("Stalled")) return is("Available") ? "Degraded" : "Failed";
  return is("Available") ? "Progressing" : "Pending";
}

/** `v1:80 v2:20`; a version that is moving from one revision to the next is named by revision. */
function splitText(revisions: readonly RevisionStatus[]): string {
  const taking = revisions.filter(({ weight }) => weight.applied > 0);
  const isAlone = (version: string): boolean => taking.filter((other) => other.version === version).length === 1;
  return taking
    .map(
      ({ revision, version, weight }) =>
        `${isAlone(version) ? version : revision}:${Number(weight.applied.toFixed(2))}`,
    )
    .join(" ");
}

/**
 * For the scale subresource, whose `spec.replicas` are those of each version: with several, whoever scales by the pods
 * that this selects would count them all as one version's, and scale each to the sum.
 */
function scaleSelector(
  { name, versions }: ValidModelDeployment,
  revisions: readonly RevisionStatus[],
): { selector?: string } {
  const serving = revisions.filter(({ weight }) => weight.applied > 0);
  const [only] = serving;
  if (versions.length > 1 || serving.length > 1 || only === undefined) return {};
  const labels = {
    [LABELS.component]: COMPONENTS.revision,
    [LABELS.modelDeployment]: name,
    [LABELS.revision]: only.revision,
  };
  return {
    selector: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  };
}

function url({ name, namespace, spec }: ValidModelDeployment, { loadBalancer }: Facts): string {
  const port = loadBalancer?.port ?? spec.traffic?.service?.port ?? 80;
  const host = loadBalancer?.host ?? serviceHost(name, namespace);
  return `http://${host}${port === 80 ? "" : `:${port}`}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
