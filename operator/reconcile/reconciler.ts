import type { KubernetesObject } from "@kubernetes/client-node";
import { ANNOTATIONS, childNames } from "../api/names.ts";
import { parseModelDeployment } from "../api/parse.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { ModelDeploymentStatus } from "../api/status.ts";
import type { Clock } from "../kube/clock.ts";
import type { ReconcileResult } from "../kube/controller.ts";
import type { EventContent } from "../kube/events.ts";
import type { Log } from "../kube/log.ts";
import { deployments, keyOf } from "../kube/objects.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import type { ObservedRouter } from "../plan/observed.ts";
import { aliasReferences, resolveAliases } from "../plan/aliases.ts";
import type { AliasReference, AliasState, ResolvedAliases } from "../plan/aliases.ts";
import { planRollout } from "../plan/plan-rollout.ts";
import type { Plan } from "../plan/plan-rollout.ts";
import type { RolloutRecord } from "../plan/record.ts";
import { canonicalJson } from "../plan/revision.ts";
import { salvagedRecord } from "../plan/salvage.ts";
import type { PlanSettings } from "../plan/transitions.ts";
import { desiredObjects } from "../resources/desired-objects.ts";
import { withPinnedTemplate } from "../resources/pinned-template.ts";
import type { Templated } from "../resources/pinned-template.ts";
import { autoscalerCountsIn } from "../status/autoscaler-failure.ts";
import type { PodUsers } from "../resources/security.ts";
import { computeStatus, heldStatus, problemsText, suspendedStatus } from "../status/compute-status.ts";
import type { Hold } from "../status/compute-status.ts";
import type { Applied, Facts } from "../status/facts.ts";
import { transitionEvents } from "../status/transition-events.ts";
import type { Cluster } from "./cluster.ts";
import { dueOfNew } from "./creation-order.ts";
import { gather, readyRouterPods, revisionPods } from "./gather.ts";
import type { LoadedModels } from "./loaded-models.ts";
import type { PodComplaints } from "./pod-complaints.ts";
import { ownChildren } from "./own-children.ts";
import { ownershipOf } from "./ownership.ts";
import { remainsOf } from "./remains.ts";
import { childKey } from "./resource-types.ts";
import type { Pod, Sighting, World } from "./world.ts";

export interface ReconcilerOptions {
  readonly world: Pick<World, "observe">;
  readonly cluster: Pick<Cluster, "isLive" | "apply" | "prune" | "writeStatus" | "touch">;
  readonly readRouters: (pods: readonly Pod[]) => Promise<ObservedRouter[]>;
  readonly aliases: {
    follow(object: ObjectKey, references: readonly AliasReference[]): void;
    stateOf(reference: AliasReference): AliasState;
  };
  readonly complaints: Pick<PodComplaints, "read">;
  readonly models: Pick<LoadedModels, "of">;
  readonly events: { record(about: KubeObject, content: EventContent): void };
  /** Told once of each reason that a revision newly gives for not serving. */
  readonly onLoadFailure?: (object: KubeObject, reason: string) => void;
  readonly settings: PlanSettings;
  readonly podUsers?: PodUsers;
  readonly clock: Clock;
  readonly log: Log;
}

/** A kubelet that has not followed a touch of the pod within this time is asked again. */
const TOUCH_AGAIN_MS = 10_000;

/** What is in the way, a quota or somebody else's object, is not watched: nothing tells when it is gone. */
const LOOK_AGAIN_WHEN_BLOCKED_MS = 15_000;

/** What is still to be created of a new object waits for what is due of the others: see `dueOfNew`. */
const BEHIND_OTHER_NEW_ONES: ReconcileResult = { requeueAfterMs: 0, priority: "low" };

/** Brings one ModelDeployment one step closer to its spec. Level-triggered: it never asks what changed. */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: ObjectKey): Promise<ReconcileResult> {
    const sighting = this.#options.world.observe(key);
    if (sighting === undefined || sighting.object.metadata.deletionTimestamp !== undefined) return this.#letGo(key);
    const parsed = parseModelDeployment(sighting.object);
    if (!parsed.ok) return this.#hold(sighting, { reason: "InvalidSpec", message: problemsText(parsed.problems) });
    if (parsed.value.spec.suspend === true) return this.#suspend(sighting);
    return this.#work(sighting, parsed.value);
  }

  /** Children go with their owner. */
  #letGo(key: ObjectKey): ReconcileResult {
    this.#options.aliases.follow(key, []);
    this.#options.models.of(key, []);
    return {};
  }

  async #hold({ object }: Sighting, hold: Hold): Promise<ReconcileResult> {
    await this.#report(object, heldStatus(generationOf(object), hold, statusOf(object), this.#options.clock.now()));
    return {};
  }

  async #suspend({ object }: Sighting): Promise<ReconcileResult> {
    await this.#report(object, suspendedStatus(generationOf(object), statusOf(object), this.#options.clock.now()));
    return {};
  }

  async #work(sighting: Sighting, md: ValidModelDeployment): Promise<ReconcileResult> {
    const { object, children } = sighting;
    const now = this.#options.clock.now();
    const { askAgainMs, ...gathered } = await this.#gather(sighting);
    if (isStateLost(gathered, object)) return this.#hold(sighting, stateLost);
    const record = gathered.record ?? salvaged(sighting, now);
    const resolved = this.#resolve(md, record);
    if (resolved.unresolved === "Pending") return {}; // the answer brings the object back
    if (resolved.unresolved !== undefined) return this.#hold(sighting, resolved.unresolved);
    if (hasOrphans(sighting) && !(await this.#options.cluster.isLive(object))) return {}; // the watch is about to tell of its end

    const facts = { ...gathered, record, ...resolved };
    const plan = planRollout(md, facts, now, this.#options.settings);
    const desired = desiredObjects(md, plan, this.#options.podUsers).map((child) =>
      withPins(asKubeObject(child), children),
    );
    const isNew = statusOf(object).rollout === undefined;
    const due = isNew ? dueOfNew(desired, children) : desired;
    const applied = await this.#options.cluster.apply(object, due, children, initialReplicas(md.name, plan));
    const isRecorded = wasWritten(desired[0], applied);
    if (isComplete(applied) && due.length < desired.length) return BEHIND_OTHER_NEW_ONES;
    if (isRecorded) await this.#afterRecord(sighting, desired, applied, facts, plan, now);

    const status = computeStatus(md, plan, facts, applied, statusOf(object), now);
    await this.#report(object, isRecorded ? status : withRecordOf(status, statusOf(object)));
    return nextLook(plan, facts, applied, askAgainMs, now);
  }

  async #gather(sighting: Sighting): Promise<Facts & { readonly askAgainMs?: number }> {
    const { readRouters, models, complaints } = this.#options;
    const routers = await readRouters(readyRouterPods(sighting));
    const pods = revisionPods(sighting);
    const loaded = models.of(keyOf(sighting.object), pods);
    const { complaints: texts, askAgainMs } = await complaints.read(pods);
    return { ...gather(sighting, routers, texts, loaded), ...(askAgainMs !== undefined && { askAgainMs }) };
  }

  #resolve(md: ValidModelDeployment, record: RolloutRecord | undefined): ResolvedAliases {
    const { aliases } = this.#options;
    const references = aliasReferences(md);
    aliases.follow({ namespace: md.namespace, name: md.name }, [...references.values()]);
    return resolveAliases(md, references, record, (reference) => aliases.stateOf(reference));
  }

  /** What may only happen once the decision that it follows from is recorded. */
  async #afterRecord(
    sighting: Sighting,
    desired: readonly KubeObject[],
    { notOwned }: Applied,
    { routers }: Facts,
    plan: Plan,
    now: number,
  ): Promise<void> {
    const { object, children } = sighting;
    if (notOwned.length === 0) await this.#options.cluster.prune(object, desired, children);
    await this.#touchRouters(sighting, routers.ready, plan, now);
  }

  async #report(object: KubeObject, status: ModelDeploymentStatus): Promise<void> {
    const { cluster, events, log, onLoadFailure } = this.#options;
    const previous = statusOf(object);
    if (canonicalJson(status) === canonicalJson(previous)) return;
    await cluster.writeStatus(object, status);
    for (const event of transitionEvents(previous, status)) {
      events.record(object, event);
      const { type, revision, reason, message } = event;
      const isLoadFailure = type === "Warning" && revision !== undefined && reason !== "NotScaling";
      if (isLoadFailure) onLoadFailure?.(object, reason);
      const { namespace, name } = object.metadata;
      log.info({ namespace, name, ...(revision && { revision }), reason, detail: message }, "model deployment changed");
    }
  }

  /** Until every router applies what is written; each is touched at once and again when it does not follow. */
  async #touchRouters({ pods }: Sighting, routers: readonly ObservedRouter[], plan: Plan, now: number): Promise<void> {
    if (plan.router === undefined) return;
    const { clusters, routes } = plan.router;
    const behind = routers.filter(
      ({ clustersVersion, routesHash }) => clustersVersion !== clusters.version || routesHash !== routes.hash,
    );
    for (const { pod: name } of behind) {
      const pod = pods.find(({ metadata }) => metadata.name === name);
      if (pod === undefined) continue;
      const [version, at] = pod.metadata.annotations?.[ANNOTATIONS.trafficTouch]?.split(" at ") ?? [];
      const wanted = `${clusters.version}/${routes.hash}`;
      const isRecent = at !== undefined && now - Date.parse(at) < TOUCH_AGAIN_MS;
      if (version !== wanted || !isRecent)
        await this.#options.cluster.touch(pod, `${wanted} at ${new Date(now).toISOString()}`);
    }
  }
}

const stateLost = {
  reason: "StateLost",
  message:
    "the rollout record is gone from the front Service and from the status; what serves goes on serving. Change anything in spec, and the change to it starts from what serves",
} as const;

/** Both copies of the record are gone although there are revisions; a change of the spec says to start anew. */
function isStateLost({ record, revisions }: Facts, object: KubeObject): boolean {
  if (record !== undefined || revisions.size === 0) return false;
  const { conditions = [] } = statusOf(object);
  const held = conditions.find(({ type, reason }) => type === "Stalled" && reason === stateLost.reason);
  return held === undefined || held.observedGeneration >= generationOf(object);
}

function hasOrphans({ object, children }: Sighting): boolean {
  return children.some((child) => ownershipOf(child, object) === "Adoptable");
}

/** A first deployment has no children to read a record off. */
function salvaged(sighting: Sighting, now: number): RolloutRecord | undefined {
  const remains = remainsOf(ownChildren(sighting));
  return remains && salvagedRecord(remains, now);
}

/** The soonest of what is not watched and may be different then. */
function nextLook(
  plan: Plan,
  { autoscalers }: Facts,
  applied: Applied,
  askAgainMs: number | undefined,
  now: number,
): ReconcileResult {
  const counting = [...autoscalers.values()].map((conditions) => autoscalerCountsIn(conditions, now));
  const delays = [isComplete(applied) ? plan.requeueAfterMs : LOOK_AGAIN_WHEN_BLOCKED_MS, askAgainMs, ...counting];
  const known = delays.filter((delay) => delay !== undefined);
  return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) };
}

function isComplete({ notOwned, refused }: Applied): boolean {
  return notOwned.length === 0 && refused.length === 0;
}

function wasWritten(child: KubeObject | undefined, { notOwned, refused }: Applied): boolean {
  if (child === undefined) return false;
  const key = childKey(child);
  return !notOwned.includes(key) && !refused.some((refusal) => refusal.child === key);
}

/** A decision that was not recorded must not come back from the status as if it had been. */
function withRecordOf(status: ModelDeploymentStatus, { rollout }: ModelDeploymentStatus): ModelDeploymentStatus {
  const { rollout: _undecided, ...rest } = status;
  return { ...rest, ...(rollout && { rollout }) };
}

function initialReplicas(name: string, { revisions }: Plan): Map<string, number> {
  const autoscaled = revisions.filter(({ serving }) => serving.autoscaling !== undefined);
  return new Map(
    autoscaled.map(({ id, floor }) => [
      childKey({ kind: "Deployment", metadata: { name: childNames.revision(name, id) } }),
      floor,
    ]),
  );
}

function statusOf(object: KubeObject): ModelDeploymentStatus {
  return (object as KubeObject & { status?: ModelDeploymentStatus }).status ?? {};
}

function generationOf({ metadata }: KubeObject): number {
  return metadata.generation ?? 1;
}

function withPins(child: KubeObject, observed: readonly KubeObject[]): KubeObject {
  if (child.kind !== deployments.kind) return child;
  const before = observed.find((other) => childKey(other) === childKey(child));
  return withPinnedTemplate(child as KubeObject & Templated, before as (KubeObject & Templated) | undefined);
}

/** Builders use client-node's types, in which every field may be missing; ours always have these. */
function asKubeObject(built: KubernetesObject): KubeObject {
  if (!isKubeObject(built))
    throw new TypeError(`a builder made an object without apiVersion, kind or name: ${JSON.stringify(built.metadata)}`);
  return built;
}

function isKubeObject(built: KubernetesObject): built is KubernetesObject & KubeObject {
  return built.apiVersion !== undefined && built.kind !== undefined && built.metadata?.name !== undefined;
}
