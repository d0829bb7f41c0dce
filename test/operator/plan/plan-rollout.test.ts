import { expect } from "chai";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import { planRollout } from "../../../operator/plan/plan-rollout.ts";
import type { Plan } from "../../../operator/plan/plan-rollout.ts";
import { movedBuckets } from "../../../operator/traffic/intervals.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";
import { RolloutInvariants } from "../../support/operator/rollout-invariants.ts";
import { SETTINGS, SimulatedCluster } from "../../support/operator/simulated-cluster.ts";

const version = (name: string, weight: number, artifact = "a", serving?: object) => ({
  name,
  weight,
  source: { uri: `s3://models/${name}/${artifact}/` },
  ...(serving && { serving }),
});

const two = (v1: number, v2: number, artifact = "a"): ModelDeploymentSpec => ({
  versions: [version("v1", v1), version("v2", v2, artifact)],
});

const one = (artifact: string, more: Omit<ModelDeploymentSpec, "versions" | "source"> = {}): ModelDeploymentSpec => ({
  source: { uri: `s3://models/v1/${artifact}/` },
  ...more,
});

/** A cluster in which the spec is fully live. */
function live(spec: ModelDeploymentSpec): SimulatedCluster {
  const cluster = new SimulatedCluster(spec);
  untilCompleted(cluster);
  return cluster;
}

function untilCompleted(cluster: SimulatedCluster): void {
  for (let passes = 0; passes < 10; passes += 1) {
    cluster.reconcile();
    if (cluster.record?.stage === "Completed" && cluster.plan?.verified) return;
    cluster.settle();
  }
  throw new Error(`not completed: ${JSON.stringify(cluster.record)}`);
}

/** `v1:80 v2:20`, by version; a version that stands with two revisions stands twice. */
function split({ revisions }: Plan): string {
  return revisions
    .filter(({ appliedWeight }) => appliedWeight > 0)
    .map(({ version, appliedWeight }) => `${version}:${appliedWeight}`)
    .join(" ");
}

function summary({ record, waitingFor, front, revisions, ...plan }: Plan) {
  return { stage: record.stage, split: split({ record, waitingFor, front, revisions, ...plan }), waitingFor };
}

describe("planRollout", () => {
  it("gives a first deployment all traffic at once, through a Service when there is nothing to split", () => {
    const cluster = new SimulatedCluster(one("a"));
    const { plan } = cluster.reconcile();
    expect(summary(plan)).to.deep.equal({ stage: "Shifting", split: "v1:100", waitingFor: "Replicas" });
    expect(plan.front).to.deep.equal({ via: "Service", revision: plan.revisions[0]?.id });
    expect(plan.router).to.equal(undefined);
  });

  it("gives a first deployment of two versions a router with their split", () => {
    const { plan } = new SimulatedCluster(two(80, 20)).reconcile();
    expect(summary(plan)).to.deep.equal({ stage: "Shifting", split: "v1:80 v2:20", waitingFor: "Replicas" });
    expect(plan.front).to.deep.equal({ via: "Router" });
  });

  it("is at rest once everything is ready, and asks to be called again for nothing", () => {
    const cluster = live(two(80, 20));
    const { plan, recordBefore } = cluster.reconcile();
    expect(plan.record).to.deep.equal(recordBefore);
    expect(plan).to.include({ waitingFor: undefined, verified: true, requeueAfterMs: undefined });
  });

  it("keeps the old split until the new revision has pods, then until routers know it, then until they apply it", () => {
    const cluster = live(two(80, 20));
    cluster.change(two(80, 20, "b"));
    const stages = [cluster.reconcile().plan];
    for (const pods of cluster.deployments.values()) pods.ready = pods.wanted;
    stages.push(cluster.reconcile().plan);
    for (const router of cluster.routers) cluster.takeClusters(router);
    stages.push(cluster.reconcile().plan);
    for (const router of cluster.routers) cluster.checkHealth(router);
    stages.push(cluster.reconcile().plan);
    cluster.takeRoutes(cluster.routers[0]!);
    stages.push(cluster.reconcile().plan);
    cluster.takeRoutes(cluster.routers[1]!);
    stages.push(cluster.reconcile().plan);
    expect(stages.map(({ record, waitingFor }) => `${record.stage} ${waitingFor}`)).to.deep.equal([
      "Preparing Replicas",
      "Preparing Clusters",
      "Preparing Clusters",
      "Shifting Routes",
      "Shifting Routes",
      "Completed undefined",
    ]);
    const [old, fresh] = [stages[0]?.record.from.split[1]?.revision, stages[0]?.record.to.split[1]?.revision];
    expect(old).to.not.equal(fresh);
    const takes = (plan: Plan) =>
      plan.revisions.filter(({ appliedWeight }) => appliedWeight === 20).map(({ id }) => id);
    expect(stages.map(takes)).to.deep.equal([[old], [old], [old], [fresh], [fresh], [fresh]]);
  });

  it("lets a silent router hold a shift up, since nobody knows what it applies", () => {
    const cluster = live(two(80, 20));
    cluster.change(two(60, 40));
    cluster.settle();
    cluster.routers[1]!.silent = true;
    expect(summary(cluster.reconcile().plan)).to.deep.equal({
      stage: "Preparing",
      split: "v1:80 v2:20",
      waitingFor: "Clusters",
    });
  });

  it("waits for a router that its Deployment counts as ready and that nobody has asked yet", () => {
    const cluster = live(two(80, 20));
    cluster.change(two(60, 40));
    cluster.settle();
    const observed = cluster.observe();
    const ready = observed.routers.ready.slice(1);
    const md = validModelDeployment(cluster.spec, { generation: 2 });
    const plan = planRollout(md, { ...observed, routers: { ...observed.routers, ready } }, cluster.now, SETTINGS);
    expect(summary(plan)).to.deep.equal({ stage: "Preparing", split: "v1:80 v2:20", waitingFor: "Routers" });
  });

  it("moves only users from v1 to v2 when 80/20 becomes 60/40", () => {
    const cluster = live(two(80, 20));
    const before = cluster.record!.to.split;
    cluster.change(two(60, 40));
    untilCompleted(cluster);
    const after = cluster.record!.to.split;
    expect(movedBuckets(before, after)).to.equal(2_000);
    expect(cluster.record!.revisions).to.have.all.keys(before.map(({ revision }) => revision));
  });

  it("changes replicas in place, without a new revision or a change under way", () => {
    const cluster = live(one("a", { serving: { replicas: 2 } }));
    const [before] = cluster.plan!.revisions;
    cluster.change(one("a", { serving: { replicas: 5 } }));
    const { plan } = cluster.reconcile();
    expect(summary(plan)).to.deep.equal({ stage: "Completed", split: "v1:100", waitingFor: undefined });
    expect(plan.revisions.map(({ id, floor }) => ({ id, floor }))).to.deep.equal([{ id: before?.id, floor: 5 }]);
  });

  it("selects the new revision's pods only when they are ready, and keeps the old ones for the delay", () => {
    const cluster = live(one("a"));
    const old = cluster.plan!.front;
    cluster.change(one("b"));
    expect(cluster.reconcile().plan.front).to.deep.equal(old);
    cluster.settle();
    const { plan } = cluster.reconcile();
    expect(plan.front).to.not.deep.equal(old);
    expect(plan.revisions).to.have.length(2);
    expect(plan.requeueAfterMs).to.equal(SETTINGS.scaleDownDelayMs);
    cluster.now += SETTINGS.scaleDownDelayMs - 1;
    expect(cluster.reconcile().plan.revisions).to.have.length(2);
    cluster.now += 1;
    expect(cluster.reconcile().plan.revisions).to.have.length(1);
  });

  it("keeps the image of a revision when the operator's default changes", () => {
    const cluster = live(one("a"));
    const [revision] = cluster.plan!.revisions;
    expect(revision?.image).to.equal(SETTINGS.runtimeImage);
    cluster.change(one("a", { serving: { replicas: 3 } }));
    const upgraded = cluster.reconcile({
      settings: { ...SETTINGS, runtimeImage: "runtime:2", routerImage: "envoy:2" },
    });
    expect(upgraded.plan.revisions.map(({ image }) => image)).to.deep.equal([SETTINGS.runtimeImage]);
  });

  it("gives an abandoned revision the whole delay from when no router sends to it any more", () => {
    const cluster = live(two(80, 20));
    const invariants = new RolloutInvariants();
    cluster.change(two(80, 20, "b"));
    cluster.reconcile();
    cluster.settle();
    cluster.reconcile(); // shifts
    cluster.takeRoutes(cluster.routers[0]!);
    cluster.change(two(80, 20));
    invariants.check(cluster.reconcile());
    cluster.now += 10 * SETTINGS.scaleDownDelayMs;
    invariants.check(cluster.reconcile());
    cluster.settle();
    for (let passes = 0; passes < 3; passes += 1) invariants.check(cluster.reconcile());
    expect(cluster.plan?.revisions, "the abandoned one is still there").to.have.length(3);
    cluster.now += SETTINGS.scaleDownDelayMs;
    invariants.check(cluster.reconcile());
    expect(cluster.plan?.revisions).to.have.length(2);
  });

  it("keeps the replicas of a revision that serves until its users have left", () => {
    const cluster = live({
      versions: [version("v1", 80, "a", { replicas: 8 }), version("v2", 20, "a", { replicas: 2 })],
    });
    cluster.change({ versions: [version("v1", 20, "a", { replicas: 2 }), version("v2", 80, "a", { replicas: 8 })] });
    const floors = (plan: Plan) => plan.revisions.map(({ version, floor }) => `${version}:${floor}`).join(" ");
    expect(floors(cluster.reconcile().plan)).to.equal("v1:8 v2:8");
    untilCompleted(cluster);
    expect(floors(cluster.reconcile().plan)).to.equal("v1:2 v2:8");
  });

  it("moves users away from a version that has lost its pods", () => {
    const cluster = live(two(50, 50));
    const [, v2] = [...cluster.deployments.values()];
    v2!.ready = 0;
    cluster.change(two(80, 20));
    cluster.reconcile();
    for (const router of cluster.routers) cluster.checkHealth(router);
    expect(summary(cluster.reconcile().plan)).to.include({ split: "v1:80 v2:20" });
  });

  it("raises an HPA's minimum for the share that comes and puts it back when all is done", () => {
    const autoscaled = (artifact: string) =>
      one(artifact, { serving: { autoscaling: { minReplicas: 2, maxReplicas: 10 } } });
    const cluster = live(autoscaled("a"));
    const [pods] = [...cluster.deployments.values()];
    pods!.wanted = 7;
    cluster.settle();
    cluster.change(autoscaled("b"));
    expect(cluster.reconcile().plan.revisions.map(({ floor }) => floor)).to.deep.equal([7, 7]);
    untilCompleted(cluster);
    expect(cluster.reconcile().plan.revisions.map(({ floor }) => floor)).to.deep.equal([2, 2]);
  });

  it("puts routers between before it adds sticky users, and takes them away after the last split", () => {
    const sticky = { traffic: { sticky: { header: "x-user-id" } } };
    const cluster = live(one("a"));
    cluster.change(one("a", sticky));
    const fronts = [cluster.reconcile().plan.front.via];
    untilCompleted(cluster);
    fronts.push(cluster.plan!.front.via);
    cluster.change(one("a"));
    untilCompleted(cluster);
    fronts.push(cluster.plan!.front.via);
    expect(fronts).to.deep.equal(["Service", "Router", "Service"]);
    expect(cluster.plan!.router, "routers drain first").to.not.equal(undefined);
    cluster.now += SETTINGS.scaleDownDelayMs;
    expect(cluster.reconcile().plan.router).to.equal(undefined);
  });
});
