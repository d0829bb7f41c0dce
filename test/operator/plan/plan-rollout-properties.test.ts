import { expect } from "chai";
import * as fc from "fast-check";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import { canonicalJson, desiredRevisions } from "../../../operator/plan/revision.ts";
import { sharesOf } from "../../../operator/traffic/intervals.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";
import { RolloutInvariants } from "../../support/operator/rollout-invariants.ts";
import { SimulatedCluster } from "../../support/operator/simulated-cluster.ts";
import type { Pass } from "../../support/operator/simulated-cluster.ts";

/** Seconds of them here; many more when somebody looks for a bug. */
const RUNS = Number(process.env["FC_RUNS"] ?? 40);

type Happening =
  | { readonly kind: "reconcile"; readonly crashes: boolean }
  | { readonly kind: "change"; readonly to: ModelDeploymentSpec }
  | { readonly kind: "pods"; readonly which: number; readonly ready: number }
  | { readonly kind: "router"; readonly which: number; readonly does: RouterDeed }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "allPodsReady" }
  /** Pods and routers alike. */
  | { readonly kind: "allCatchUp" };

type RouterDeed = "starts" | "dies" | "takesClusters" | "takesRoutes" | "checksHealth" | "fallsSilent" | "speaks";

const serving = fc.oneof(
  fc.record({ replicas: fc.integer({ min: 1, max: 6 }) }),
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 }))
    .map(([minReplicas, more]) => ({ autoscaling: { minReplicas, maxReplicas: minReplicas + more } })),
);

/** Mostly one or two versions: then the next spec is often a small change of this one, as people make them. */
const weights = fc.oneof(
  { weight: 4, arbitrary: fc.constant([100]) },
  { weight: 4, arbitrary: fc.constantFrom([80, 20], [60, 40], [20, 80]) },
  { weight: 2, arbitrary: fc.constantFrom([100, 0], [40, 40, 20], [20, 40, 40]) },
);

/** One to three of the versions v1, v2 and v3, each from one of two artifacts. */
const specs: fc.Arbitrary<ModelDeploymentSpec> = fc
  .record({
    weights,
    names: fc.constantFrom(["v1", "v2", "v3"], ["v1", "v2", "v3"], ["v2", "v1", "v3"]),
    artifacts: fc.tuple(...["v1", "v2", "v3"].map(() => fc.constantFrom("a", "b"))),
    serving,
    sticky: fc.nat(3).map((n) => n === 0),
  })
  .map(({ weights, names, artifacts, serving, sticky }) => ({
    versions: weights.map((weight, index) => {
      const name = names[index] ?? "v1";
      return { name, weight, source: { uri: `s3://models/${name}/${artifacts[index]}/` } };
    }),
    serving,
    ...(sticky && { traffic: { sticky: { header: "x-user-id" } } }),
  }));

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("reconcile" as const), crashes: fc.nat(9).map((n) => n === 0) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("change" as const), to: specs }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("pods" as const),
      which: fc.nat(5),
      ready: fc.integer({ min: 0, max: 6 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("router" as const),
      which: fc.nat(1),
      does: fc.constantFrom<RouterDeed[]>(
        ...(["starts", "starts", "takesClusters", "takesRoutes", "checksHealth", "checksHealth"] as const),
        ...(["speaks", "fallsSilent", "dies"] as const),
      ),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: "allPodsReady" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "allCatchUp" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), seconds: fc.constantFrom(1, 10, 31) }) },
);

function happen(cluster: SimulatedCluster, what: Happening, invariants: RolloutInvariants): void {
  switch (what.kind) {
    case "reconcile":
      invariants.check(cluster.reconcile({ crashes: what.crashes }));
      return;
    case "change":
      cluster.change(what.to);
      return;
    case "pods": {
      const [id, pods] = [...cluster.deployments][what.which] ?? [];
      if (id !== undefined && pods !== undefined) pods.ready = Math.min(what.ready, pods.wanted);
      return;
    }
    case "router":
      routerDoes(cluster, what.which, what.does);
      return;
    case "allPodsReady":
      for (const pods of cluster.deployments.values()) pods.ready = pods.wanted;
      return;
    case "allCatchUp":
      cluster.settle();
      return;
    case "wait":
      cluster.now += what.seconds * 1_000;
  }
}

function routerDoes(cluster: SimulatedCluster, which: number, does: RouterDeed): void {
  const router = cluster.routers[which];
  if (router === undefined) return;
  if (does === "starts") cluster.startRouter(router);
  if (!router.ready) return;
  if (does === "dies") router.ready = false;
  if (does === "takesClusters") cluster.takeClusters(router);
  if (does === "takesRoutes") cluster.takeRoutes(router);
  if (does === "checksHealth") cluster.checkHealth(router);
  if (does === "fallsSilent") router.silent = true;
  if (does === "speaks") router.silent = false;
}

/** Lets everything become ready until the operator waits for nothing and changes nothing more. */
function settle(cluster: SimulatedCluster, invariants: RolloutInvariants): void {
  for (let passes = 0; passes < 20; passes += 1) {
    const pass = cluster.reconcile();
    invariants.check(pass);
    if (isAtRest(pass)) return;
    cluster.now += pass.plan.requeueAfterMs ?? 0;
    cluster.settle();
  }
  throw new Error(`still not at rest: ${JSON.stringify(cluster.plan)}`);
}

function isAtRest({ plan, recordBefore }: Pass): boolean {
  const isSame = canonicalJson(plan.record) === canonicalJson(recordBefore);
  return isSame && plan.waitingFor === undefined && plan.requeueAfterMs === undefined;
}

function expectFullyLive(cluster: SimulatedCluster): void {
  const { plan, spec } = cluster;
  const desired = desiredRevisions(validModelDeployment(spec));
  const wanted = new Map(desired.filter(({ weight }) => weight > 0).map(({ id, weight }) => [id, weight]));
  expect(plan?.record.stage).to.equal("Completed");
  expect(sharesOf(plan?.record.to.split ?? [])).to.deep.equal(wanted);
  expect(plan?.revisions.map(({ id }) => id).toSorted()).to.deep.equal(desired.map(({ id }) => id).toSorted());
  const needsRouter = desired.length > 1 || spec.traffic?.sticky !== undefined;
  expect(plan?.front.via).to.equal(needsRouter ? "Router" : "Service");
  expect(plan?.router !== undefined).to.equal(needsRouter);
  for (const router of cluster.routers) expect(sharesOf(router.routes?.split ?? [])).to.deep.equal(wanted);
}

describe("planRollout, whatever happens", function () {
  this.timeout(60_000);

  it("keeps every invariant on the way, and ends with what the spec says once everything is ready", () =>
    fc.assert(
      fc.property(specs, fc.array(happenings, { maxLength: 60 }), (spec, history) => {
        const cluster = new SimulatedCluster(spec);
        const invariants = new RolloutInvariants();
        for (const what of history) happen(cluster, what, invariants);
        settle(cluster, invariants);
        expectFullyLive(cluster);
      }),
      { numRuns: RUNS },
    ));

  it("keeps every invariant between live states too", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(specs, fc.array(happenings, { maxLength: 20 })), { minLength: 2, maxLength: 4 }),
        (chapters) => {
          const cluster = new SimulatedCluster(chapters[0]?.[0] ?? { source: { uri: "s3://models/" } });
          const invariants = new RolloutInvariants();
          for (const [spec, history] of chapters) {
            cluster.change(spec);
            for (const what of history) happen(cluster, what, invariants);
            settle(cluster, invariants);
            expectFullyLive(cluster);
          }
        },
      ),
      { numRuns: RUNS },
    ));

  it("gives back exactly the split that it came from when a change is taken back in the middle", () =>
    fc.assert(
      fc.property(specs, specs, fc.array(happenings, { maxLength: 20 }), (from, to, history) => {
        const cluster = new SimulatedCluster(from);
        const invariants = new RolloutInvariants();
        settle(cluster, invariants);
        const base = cluster.plan?.record.to;
        cluster.change(to);
        for (const what of history) if (what.kind !== "change") happen(cluster, what, invariants);
        fc.pre(cluster.record?.stage !== "Completed");
        cluster.change(from);
        const { plan } = cluster.reconcile();
        expect(sharesOf(plan.record.from.split)).to.deep.equal(sharesOf(base?.split ?? []));
        settle(cluster, invariants);
        expectFullyLive(cluster);
        expect(cluster.plan?.record.to).to.deep.equal(base);
      }),
      { numRuns: RUNS },
    ));
});
