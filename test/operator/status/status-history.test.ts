import type { V1Pod } from "@kubernetes/client-node";
import { expect } from "chai";
import * as fc from "fast-check";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { Condition, ModelDeploymentStatus } from "../../../operator/api/status.ts";
import type { Observed } from "../../../operator/plan/observed.ts";
import { computeStatus, heldStatus, suspendedStatus } from "../../../operator/status/compute-status.ts";
import type { Applied } from "../../../operator/status/facts.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";
import { lastWords, pod, running, terminated } from "../../support/operator/pods.ts";
import { SimulatedCluster } from "../../support/operator/simulated-cluster.ts";

/** Seconds of them here; many more when somebody looks for a bug. */
const RUNS = Number(process.env["FC_RUNS"] ?? 20);

type Happening =
  | { readonly kind: "change"; readonly to: ModelDeploymentSpec }
  | { readonly kind: "pods"; readonly which: number; readonly ready: number }
  | { readonly kind: "router"; readonly which: number; readonly ready: boolean; readonly silent: boolean }
  | { readonly kind: "allCatchUp" }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "podsSay"; readonly pods: readonly V1Pod[] }
  | { readonly kind: "writes"; readonly applied: Applied }
  | { readonly kind: "hold"; readonly by: "InvalidSpec" | "StateLost" | "suspend" };

const weights = fc.constantFrom([100], [100], [80, 20], [20, 80], [100, 0]);

const specs: fc.Arbitrary<ModelDeploymentSpec> = fc
  .record({
    weights,
    artifact: fc.constantFrom("a", "b"),
    replicas: fc.integer({ min: 1, max: 3 }),
    isScaled: fc.boolean(),
  })
  .map(({ weights, artifact, replicas, isScaled }) => ({
    versions: weights.map((weight, index) => ({
      name: `v${index + 1}`,
      weight,
      source: { uri: `s3://models/v${index + 1}/${artifact}/` },
    })),
    serving: isScaled ? { autoscaling: { minReplicas: replicas, maxReplicas: 4 } } : { replicas },
  }));

const child = "Deployment/loan-v1-x";
const outcomes: readonly Applied[] = [
  { notOwned: [], refused: [] },
  { notOwned: [], refused: [] },
  { notOwned: [child], refused: [] },
  { notOwned: [], refused: [{ child, message: "denied", quota: false }] },
  { notOwned: [], refused: [{ child, message: "exceeded quota", quota: true }] },
];

const podStates: readonly (readonly V1Pod[])[] = [
  [],
  [pod({ state: running, started: false })],
  [pod({ restartCount: 1, state: terminated(1, "Error") })],
  [pod({ state: terminated(1, "Error", lastWords("ArtifactNotFound", true)) })],
  [pod({}, { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes" }] })],
];

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("change" as const), to: specs }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("pods" as const),
      which: fc.nat(3),
      ready: fc.integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("router" as const),
      which: fc.nat(1),
      ready: fc.boolean(),
      silent: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: "allCatchUp" as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), seconds: fc.constantFrom(1, 31) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("podsSay" as const), pods: fc.constantFrom(...podStates) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("writes" as const), applied: fc.constantFrom(...outcomes) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("hold" as const),
      by: fc.constantFrom("InvalidSpec", "StateLost", "suspend"),
    }),
  },
);

/** One pass of the operator: what it saw, what it said before and what it says now. */
interface Pass {
  readonly observed: Observed;
  readonly cluster: SimulatedCluster;
  readonly applied: Applied;
  readonly generation: number;
  readonly before: ModelDeploymentStatus;
  readonly after: ModelDeploymentStatus;
}

describe("a status, over any history of what is observed,", () => {
  it("says Available when, and only when, somebody who takes traffic serves", () =>
    holdsAlways(({ cluster, observed, after }) => {
      const { front, revisions } = cluster.plan!;
      const serves = revisions.some(({ id, appliedWeight }) => appliedWeight > 0 && readyPods(observed, id) > 0);
      const isReached = front.via === "Service" || observed.routers.ready.length > 0;
      expect(statusOf(after, "Available") === "True").to.equal(serves && isReached);
    }));

  it("says Ready only of a generation of which every version serves, nothing is under way and nothing is in the way", () =>
    holdsAlways(({ cluster, observed, applied, after, before, generation }) => {
      if (statusOf(after, "Ready") !== "True") return;
      const { record, revisions } = cluster.plan!;
      expect(record.stage).to.equal("Completed");
      expect(applied).to.deep.equal({ notOwned: [], refused: [] });
      const wasReady = conditionOf(before, "Ready");
      const wasLive = wasReady?.status === "True" && wasReady.observedGeneration === generation;
      for (const { id, floor, isDesired } of revisions)
        if (isDesired) expect(readyPods(observed, id), `ready pods of ${id}`).to.be.at.least(wasLive ? 1 : floor);
    }));

  it("is Ready=Unknown with Reconciling, or Ready=False with Stalled, or neither", () =>
    holdsAlways(({ after }) => {
      const [ready, working, stuck] = ["Ready", "Reconciling", "Stalled"].map((type) => statusOf(after, type));
      expect([ready, working, stuck]).to.be.deep.oneOf([
        ["True", undefined, undefined],
        ["Unknown", "True", undefined],
        ["False", undefined, "True"],
      ]);
      expect(conditionOf(after, "Ready")?.message).to.not.equal("");
    }));

  it("never speaks of another generation than the one that was looked at", () =>
    holdsAlways(({ after, generation }) => {
      expect(after.observedGeneration).to.equal(generation);
      for (const { type, observedGeneration } of after.conditions ?? [])
        expect(observedGeneration, type).to.equal(generation);
    }));

  it("moves the time of a transition when, and only when, there is one", () =>
    holdsAlways(
      ({ before, after, cluster }) => {
        const now = new Date(cluster.now).toISOString().replace(/\.\d+Z$/, "Z");
        for (const { type, status, lastTransitionTime } of after.conditions ?? []) {
          const was = conditionOf(before, type);
          expect(lastTransitionTime, type).to.equal(was?.status === status ? was.lastTransitionTime : now);
        }
      },
      { evenHeld: true },
    ));

  it("calls a weight verified only when every ready router was seen to apply it", () =>
    holdsAlways(({ after, cluster, observed }) => {
      const { router } = cluster.plan!;
      for (const { revision, weight } of after.revisions ?? []) {
        if (weight.verified === undefined) continue;
        expect(weight.verified, revision).to.equal(weight.applied);
        if (cluster.plan!.front.via === "Router")
          expect(observed.routers.ready.every(({ routesHash }) => routesHash === router?.routes.hash)).to.equal(true);
      }
    }));

  it("gives shares that sum to 100, and counts that are those of its revisions", () =>
    holdsAlways(({ after }) => {
      const revisions = after.revisions ?? [];
      const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
      expect(sum(revisions.map(({ weight }) => weight.applied))).to.be.closeTo(100, 1e-9);
      expect(after.replicas).to.equal(sum(revisions.map(({ replicas }) => replicas)));
      expect(after.readyReplicas).to.equal(sum(revisions.map(({ readyReplicas }) => readyReplicas)));
      for (const { revision, reason, message } of revisions)
        expect(reason === undefined, `${revision}: reason and message`).to.equal(message === undefined);
    }));
});

/** After every pass of random histories; with `evenHeld` also after those that only hold what there is. */
function holdsAlways(holds: (pass: Pass) => void, { evenHeld = false } = {}): void {
  fc.assert(
    fc.property(specs, fc.array(happenings, { minLength: 5, maxLength: 30 }), (spec, history) => {
      const cluster = new SimulatedCluster(spec);
      let generation = 1;
      let before: ModelDeploymentStatus = {};
      let pods: readonly V1Pod[] = [];
      let [applied] = outcomes;
      for (const what of history) {
        if (what.kind === "podsSay") pods = what.pods;
        if (what.kind === "writes") applied = what.applied;
        if (what.kind === "change") generation += 1;
        if (what.kind === "hold") {
          const held = heldOrSuspended(what.by, generation, before, cluster.now);
          if (evenHeld && cluster.plan !== undefined)
            holds({ cluster, observed: cluster.observe(), applied: applied!, generation, before, after: held });
          before = held;
          continue;
        }
        happen(cluster, what);
        const observed = cluster.observe();
        const { plan } = cluster.reconcile();
        const ids = [...observed.revisions.keys()];
        const facts = {
          ...observed,
          pods: new Map(ids.map((id) => [id, pods])),
          deploymentConditions: new Map(),
          complaints: new Map(),
          models: new Map(),
          autoscalers: new Map(),
          loadBalancer: undefined,
        };
        const md = validModelDeployment(cluster.spec, { generation });
        const after = computeStatus(md, plan, facts, applied!, before, cluster.now);
        holds({ cluster, observed, applied: applied!, generation, before, after });
        before = after;
      }
    }),
    { numRuns: RUNS },
  );
}

function heldOrSuspended(
  by: "InvalidSpec" | "StateLost" | "suspend",
  generation: number,
  before: ModelDeploymentStatus,
  now: number,
): ModelDeploymentStatus {
  return by === "suspend"
    ? suspendedStatus(generation, before, now)
    : heldStatus(generation, { reason: by, message: "why" }, before, now);
}

function happen(cluster: SimulatedCluster, what: Exclude<Happening, { kind: "hold" }>): void {
  if (what.kind === "change") cluster.change(what.to);
  if (what.kind === "allCatchUp") cluster.settle();
  if (what.kind === "wait") cluster.now += what.seconds * 1_000;
  if (what.kind === "pods") {
    const pods = [...cluster.deployments.values()][what.which];
    if (pods !== undefined) pods.ready = Math.min(what.ready, pods.wanted);
  }
  const router = what.kind === "router" ? cluster.routers[what.which] : undefined;
  if (what.kind === "router" && router !== undefined) Object.assign(router, { ready: what.ready, silent: what.silent });
}

function readyPods({ revisions }: Observed, id: string): number {
  return revisions.get(id)?.ready ?? 0;
}

function conditionOf({ conditions }: ModelDeploymentStatus, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

function statusOf(status: ModelDeploymentStatus, type: string): Condition["status"] | undefined {
  return conditionOf(status, type)?.status;
}
