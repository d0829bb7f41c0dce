import type { V1DeploymentCondition, V1Pod, V2HorizontalPodAutoscalerCondition } from "@kubernetes/client-node";
import { expect } from "chai";
import * as fc from "fast-check";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { Condition, ModelDeploymentStatus } from "../../../operator/api/status.ts";
import { computeStatus, heldStatus, suspendedStatus } from "../../../operator/status/compute-status.ts";
import { nothingRefused } from "../../../operator/status/facts.ts";
import type { LoadedModel } from "../../../operator/plan/observed.ts";
import type { Applied } from "../../../operator/status/facts.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";
import { lastWords, pod, running, terminated } from "../../support/operator/pods.ts";
import { SimulatedCluster } from "../../support/operator/simulated-cluster.ts";

const one = (artifact: string, serving?: ModelDeploymentSpec["serving"]): ModelDeploymentSpec => ({
  source: { uri: `s3://models/v1/${artifact}/` },
  ...(serving && { serving }),
});
const two: ModelDeploymentSpec = {
  versions: [
    { name: "v1", weight: 80, source: { uri: "s3://models/v1/a/" } },
    { name: "v2", weight: 20, source: { uri: "s3://models/v2/a/" } },
  ],
};

interface Circumstances {
  readonly pods?: (revision: string) => V1Pod[];
  readonly deploymentConditions?: V1DeploymentCondition[];
  readonly models?: ReadonlyMap<string, LoadedModel>;
  readonly loaded?: ReadonlyMap<string, LoadedModel>;
  readonly autoscaler?: V2HorizontalPodAutoscalerCondition[];
  readonly loadBalancer?: { host: string };
  readonly applied?: Applied;
  readonly previous?: ModelDeploymentStatus;
  readonly generation?: number;
}

/** The status after one more pass of the operator. */
function statusOf(cluster: SimulatedCluster, given: Circumstances = {}): ModelDeploymentStatus {
  const {
    pods = () => [],
    deploymentConditions = [],
    models = new Map(),
    autoscaler = [],
    loaded = cluster.loaded ?? new Map(),
    loadBalancer,
    applied = nothingRefused,
    previous = {},
  } = given;
  const observed = cluster.observe();
  const { plan } = cluster.reconcile();
  const ids = [...observed.revisions.keys()];
  const facts = {
    ...observed,
    pods: new Map(ids.map((id) => [id, pods(id)])),
    complaints: new Map(),
    models,
    loaded,
    autoscalers: new Map(ids.map((id) => [id, autoscaler])),
    deploymentConditions: new Map(ids.map((id) => [id, deploymentConditions])),
    loadBalancer,
  };
  const md = validModelDeployment(cluster.spec, { generation: given.generation ?? 1 });
  return computeStatus(md, plan, facts, applied, previous, cluster.now);
}

function live(spec: ModelDeploymentSpec): SimulatedCluster {
  const cluster = new SimulatedCluster(spec);
  for (let passes = 0; passes < 8; passes += 1) {
    cluster.reconcile();
    cluster.settle();
  }
  return cluster;
}

/** `Available=True Ready=Unknown/WaitingForReplicas Reconciling=True`, with the reason where it is not routine. */
function words({ conditions = [] }: ModelDeploymentStatus): string {
  return conditions
    .map(({ type, status, reason }) =>
      type === "Ready" && status !== "True" ? `${type}=${status}/${reason}` : `${type}=${status}`,
    )
    .join(" ");
}

function condition(status: ModelDeploymentStatus, type: string): Condition | undefined {
  return status.conditions?.find((found) => found.type === type);
}

const broken = (): V1Pod[] => [
  pod({ state: terminated(1, "Error", lastWords("ArtifactNotFound", true, "s3://models/v1/b/ is not there")) }),
];

describe("computeStatus", () => {
  it("is Pending while nothing serves yet, and says what it waits for", () => {
    const cluster = new SimulatedCluster(one("a"));
    cluster.reconcile();
    const status = statusOf(cluster);
    expect(words(status)).to.equal("Available=False Ready=Unknown/WaitingForReplicas Reconciling=True");
    expect(status).to.include({ phase: "Pending", step: "Replicas" });
    expect(condition(status, "Ready")?.message).to.match(/v1-\w{8} has 0 of 1 ready/);
  });

  it("is Serving, and says nothing else, once the generation is fully live", () => {
    const status = statusOf(live(two));
    expect(words(status)).to.equal("Available=True Ready=True");
    expect(status).to.include({ phase: "Serving", split: "v1:80 v2:20", replicas: 2, readyReplicas: 2 });
    expect(status).to.not.have.property("step");
    expect(status.revisions?.map(({ version, state, weight }) => ({ version, state, weight }))).to.deep.equal([
      { version: "v1", state: "Serving", weight: { desired: 80, applied: 80, verified: 80 } },
      { version: "v2", state: "Serving", weight: { desired: 20, applied: 20, verified: 20 } },
    ]);
  });

  it("selects for the scale subresource the pods of the revision that serves, and none where there are several versions", () => {
    const cluster = live(one("a"));
    const serving = statusOf(cluster).revisions?.[0]?.revision;
    const selector = `app.kubernetes.io/component=revision,serving.slipway.dev/model-deployment=loan,serving.slipway.dev/revision=${serving}`;
    expect(statusOf(cluster).selector).to.equal(selector);
    cluster.change(one("b"));
    cluster.reconcile();
    expect(statusOf(cluster).selector).to.equal(selector);
    expect(statusOf(live(two))).to.not.have.property("selector");
  });

  it("is not Ready while pods of a version serve different bytes, although all of them are", () => {
    const named = (uid: string): V1Pod => ({
      metadata: { uid },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
    const models = new Map([
      ["a", { sha256: "1".repeat(64) }],
      ["b", { sha256: "2".repeat(64) }],
      ["c", { sha256: "2".repeat(64) }],
    ]);
    const cluster = live(one("a"));
    const status = statusOf(cluster, { pods: () => ["a", "b", "c"].map(named), models });
    expect(words(status)).to.equal("Available=True Ready=False/DigestDrift Stalled=True");
    expect(status.phase).to.equal("Degraded");
    expect(status.revisions?.[0]).to.include({ state: "Degraded", reason: "DigestDrift" });
    expect(status.revisions?.[0]?.message).to.include("111111111111… (1 pod), 222222222222… (2 pods)");
    const same = statusOf(cluster, { pods: () => ["b", "c"].map(named), models });
    expect(words(same)).to.equal("Available=True Ready=True");
  });

  it("shows the digest of what each revision's pods have loaded, also when they cannot be asked again", () => {
    const cluster = live(one("a"));
    const id = cluster.reconcile().plan.revisions[0]?.id ?? "";
    expect(statusOf(cluster).revisions?.[0]).to.not.have.property("sha256");
    const status = statusOf(cluster, { loaded: new Map([[id, { sha256: "1".repeat(64) }]]) });
    expect(status.revisions?.[0]).to.include({ sha256: "1".repeat(64) });
    expect(statusOf(cluster, { previous: status }).revisions).to.deep.equal(status.revisions);
  });

  it("says of a revision that its HPA does not scale, and stays Ready: all of its pods serve", () => {
    const lastTransitionTime = new Date(0);
    const told = { type: "ScalingActive", status: "False", reason: "FailedGetResourceMetric", lastTransitionTime };
    const status = statusOf(live(one("a")), { autoscaler: [{ ...told, message: "no metrics API" }] });
    expect(words(status)).to.equal("Available=True Ready=True");
    expect(status.revisions?.[0]).to.include({
      state: "Serving",
      reason: "NotScaling",
      message: "the HPA does not scale: FailedGetResourceMetric: no metrics API",
    });
  });

  it("is Degraded, and Stalled with both sides, while a new revision needs a feature that users do not send", () => {
    const cluster = live(one("a"));
    const [serving] = cluster.reconcile().plan.revisions;
    cluster.change(one("b"));
    cluster.reconcile();
    cluster.settle();
    const next = cluster.plan?.revisions.find(({ id }) => id !== serving?.id);
    cluster.loaded = new Map([
      [serving?.id ?? "", { features: [{ name: "age", type: "number", nullable: false }] }],
      [next?.id ?? "", { features: [{ name: "income", type: "number", nullable: false }] }],
    ]);
    const status = statusOf(cluster, { generation: 2 });
    expect(words(status)).to.equal("Available=True Ready=False/SignatureMismatch Stalled=True");
    expect(status).to.include({ step: "Checks", split: "v1:100", phase: "Degraded" });
    const told = status.revisions?.find(({ revision }) => revision === next?.id);
    expect(told).to.include({ state: "Ready", reason: "SignatureMismatch" });
    expect(told?.message).to.match(/^needs the feature "income" \(number\), v1-\w{8} does not know it\. .*Ignore/);
  });

  it("is Progressing while a new revision starts beside the one that serves", () => {
    const cluster = live(one("a"));
    cluster.change(one("b"));
    cluster.reconcile();
    const status = statusOf(cluster);
    expect(words(status)).to.equal("Available=True Ready=Unknown/WaitingForReplicas Reconciling=True");
    expect(status.phase).to.equal("Progressing");
    expect(status.revisions?.map(({ state }) => state)).to.have.members(["Serving", "Starting"]);
  });

  it("is Degraded, and Stalled with the reason, when the new revision cannot load", () => {
    const cluster = live(one("a"));
    const old = cluster.plan!.revisions[0]!.id;
    cluster.change(one("b"));
    cluster.reconcile();
    const status = statusOf(cluster, { pods: (id) => (id === old ? [] : broken()) });
    expect(words(status)).to.equal("Available=True Ready=False/ArtifactNotFound Stalled=True");
    expect(status.phase).to.equal("Degraded");
    expect(status.revisions?.find(({ revision }) => revision !== old)).to.include({
      state: "Failed",
      reason: "ArtifactNotFound",
    });
  });

  it("is Failed when the first revision cannot load", () => {
    const cluster = new SimulatedCluster(one("a"));
    cluster.reconcile();
    const status = statusOf(cluster, { pods: broken });
    expect(status.phase).to.equal("Failed");
    expect(condition(status, "Stalled")?.message).to.match(/^v1-\w{8}: s3:\/\/models\/v1\/b\/ is not there$/);
  });

  it("is not Ready while a version that takes no traffic yet cannot load", () => {
    const cluster = live(two);
    cluster.change({
      versions: [
        { ...two.versions![0]!, weight: 100 },
        { ...two.versions![1]!, weight: 0, source: { uri: "s3://models/v2/b/" } },
      ],
    });
    cluster.reconcile();
    const ids = new Set(
      cluster
        .plan!.revisions.filter(({ isDesired, desiredWeight }) => isDesired && desiredWeight === 0)
        .map(({ id }) => id),
    );
    const status = statusOf(cluster, { pods: (id) => (ids.has(id) ? broken() : []) });
    expect(words(status)).to.equal("Available=True Ready=False/ArtifactNotFound Stalled=True");
  });

  it("says QuotaExceeded when the cluster lets no more pods be made", () => {
    const cluster = new SimulatedCluster(one("a"));
    cluster.reconcile();
    const blocked = { type: "ReplicaFailure", status: "True", message: "exceeded quota: pods=10" };
    const [revision] = statusOf(cluster, { deploymentConditions: [blocked] }).revisions ?? [];
    expect(revision).to.include({ state: "Starting", reason: "QuotaExceeded" });
    expect(revision?.message).to.contain("exceeded quota: pods=10");
  });

  for (const [reason, given] of [
    ["Unschedulable", pod({}, { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes" }] })],
    ["CrashLoop", pod({ restartCount: 1, state: terminated(1, "Error") })],
    ["SourceUnavailable", pod({ state: terminated(1, "Error", lastWords("SourceUnavailable", false)) })],
  ] as const)
    it(`gives ${reason} as the reason why it waits, though it may pass`, () => {
      const cluster = new SimulatedCluster(one("a"));
      cluster.reconcile();
      const status = statusOf(cluster, { pods: () => [given] });
      expect(words(status)).to.equal(`Available=False Ready=Unknown/${reason} Reconciling=True`);
    });

  it("gives no pod's start as the reason why it waits: that is routine", () => {
    const cluster = new SimulatedCluster(one("a"));
    cluster.reconcile();
    const loading = pod({ state: running, started: false });
    expect(words(statusOf(cluster, { pods: () => [loading] }))).to.match(/Ready=Unknown\/WaitingForReplicas/);
  });

  it("says of whom it waits when an HPA has not yet made the pods that a share needs", () => {
    const autoscaling = { minReplicas: 2, maxReplicas: 10 };
    const cluster = live(one("a", { autoscaling }));
    for (const pods of cluster.deployments.values()) pods.wanted = pods.ready = 6;
    cluster.change(one("b", { autoscaling }));
    cluster.reconcile();
    const fresh = [...cluster.deployments.keys()].at(-1)!;
    cluster.deployments.set(fresh, { wanted: 2, ready: 2 });
    const status = statusOf(cluster);
    expect(condition(status, "Ready")?.message).to.match(/^waits for pods: v1-\w{8} has 2 of 6 ready$/);
  });

  it("keeps a live generation Ready while a drained node takes one of its pods", () => {
    const cluster = live(one("a", { replicas: 3 }));
    const before = statusOf(cluster);
    for (const pods of cluster.deployments.values()) pods.ready = 2;
    const drained = statusOf(cluster, { previous: before });
    expect(words(drained)).to.equal("Available=True Ready=True");
    expect(condition(drained, "Ready")).to.deep.equal(condition(before, "Ready"));
    expect(drained.readyReplicas).to.equal(2);
    for (const pods of cluster.deployments.values()) pods.ready = 0;
    expect(words(statusOf(cluster, { previous: drained }))).to.equal(
      "Available=False Ready=Unknown/WaitingForReplicas Reconciling=True",
    );
  });

  it("is not Ready by what an earlier generation was", () => {
    const cluster = live(one("a", { replicas: 3 }));
    const previous = statusOf(cluster, { generation: 1 });
    cluster.change(one("a", { replicas: 5 })); // the Deployment still says 3
    expect(words(statusOf(cluster, { previous, generation: 2 }))).to.equal(
      "Available=True Ready=Unknown/WaitingForReplicas Reconciling=True",
    );
  });

  it("is not Available through routers of which none is ready", () => {
    const cluster = live(two);
    for (const router of cluster.routers) router.ready = false;
    expect(condition(statusOf(cluster), "Available")).to.include({ status: "False", reason: "NoReadyRouter" });
  });

  it("leaves a weight unverified while a router lags", () => {
    const cluster = live(two);
    cluster.routers[0]!.silent = true;
    const status = statusOf(cluster);
    for (const { weight } of status.revisions ?? []) expect(weight).to.not.have.property("verified");
  });

  it("names what belongs to somebody else", () => {
    const applied = { notOwned: ["Service/loan"], refused: [] };
    const status = statusOf(live(one("a")), { applied });
    expect(words(status)).to.equal("Available=True Ready=False/NotOwned Stalled=True");
    expect(condition(status, "Stalled")?.message).to.contain("Service/loan");
  });

  it("says what the API server refuses", () => {
    const applied = { notOwned: [], refused: [{ child: "Service/loan", message: "denied by policy", quota: false }] };
    expect(condition(statusOf(live(one("a")), { applied }), "Stalled")).to.include({
      reason: "Refused",
      message: "Service/loan: denied by policy",
    });
  });

  it("says which child a quota leaves no room for, and that it will be made, even of what is live", () => {
    const cluster = live(one("a"));
    const previous = statusOf(cluster);
    const full = { child: "Service/loan", message: "exceeded quota: services=1", quota: true };
    const status = statusOf(cluster, { applied: { notOwned: [], refused: [full] }, previous });
    expect(words(status)).to.equal("Available=True Ready=Unknown/QuotaExceeded Reconciling=True");
    expect(condition(status, "Ready")?.message).to.equal("Service/loan cannot be made: exceeded quota: services=1");
  });

  it("gives the address of the load balancer once there is one, with the port that is not 80", () => {
    const cluster = live({ ...one("a"), traffic: { service: { type: "LoadBalancer", port: 8080 } } });
    expect(statusOf(cluster).url).to.equal("http://loan.credit.svc:8080");
    expect(statusOf(cluster, { loadBalancer: { host: "203.0.113.7" } }).url).to.equal("http://203.0.113.7:8080");
  });

  it("moves lastTransitionTime only with the status of a condition", () => {
    const cluster = live(one("a"));
    const before = statusOf(cluster);
    cluster.now += 60_000;
    expect(condition(statusOf(cluster, { previous: before }), "Ready")).to.deep.equal(condition(before, "Ready"));
    cluster.change(one("b"));
    cluster.reconcile();
    const after = statusOf(cluster, { previous: before, generation: 2 });
    expect(condition(after, "Ready")?.lastTransitionTime).to.equal(
      new Date(cluster.now).toISOString().replace(".000", ""),
    );
    expect(condition(after, "Available")?.lastTransitionTime).to.equal(
      condition(before, "Available")?.lastTransitionTime,
    );
  });

  it("keeps what its conditions mean, whatever the facts are", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(one("a"), two),
        fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.boolean()), { maxLength: 8 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        (spec, steps, fails, generation) => {
          const cluster = new SimulatedCluster(spec);
          let previous: ModelDeploymentStatus = {};
          for (const [kind, ready, changes] of steps) {
            if (changes) cluster.change(kind % 2 === 0 ? two : one("b"));
            if (kind === 0) cluster.settle();
            else for (const pods of cluster.deployments.values()) pods.ready = Math.min(ready, pods.wanted);
            const observed = cluster.observe();
            const status = statusOf(cluster, { previous, generation, ...(fails && { pods: broken }) });
            holds(status, observed.revisions, generation, cluster);
            previous = status;
          }
        },
      ),
      { numRuns: 60 },
    ));
});

function holds(
  status: ModelDeploymentStatus,
  pods: ReadonlyMap<string, { ready: number }>,
  generation: number,
  { plan, routers }: SimulatedCluster,
): void {
  const is = (type: string) => condition(status, type)?.status;
  expect(status.observedGeneration).to.equal(generation);
  for (const found of status.conditions ?? []) expect(found.observedGeneration).to.equal(generation);
  for (const type of ["Reconciling", "Stalled"]) expect(is(type)).to.be.oneOf([undefined, "True"]);
  expect(is("Reconciling") === "True" && is("Stalled") === "True", "both at work and stuck").to.equal(false);
  expect(is("Ready") === "Unknown").to.equal(is("Reconciling") === "True");
  expect(is("Ready") === "False").to.equal(is("Stalled") === "True");
  const takes = plan!.revisions.filter(({ appliedWeight }) => appliedWeight > 0);
  const served = takes.some(({ id }) => (pods.get(id)?.ready ?? 0) > 0);
  if (is("Available") === "True") expect(served, "somebody serves").to.equal(true);
  if (plan!.front.via === "Service") expect(is("Available") === "True").to.equal(served);
  else if (!routers.some(({ ready }) => ready)) expect(is("Available")).to.equal("False");
  if (is("Ready") === "True") {
    expect(plan!.record.stage).to.equal("Completed");
    for (const { id } of takes) expect(pods.get(id)?.ready ?? 0).to.be.greaterThan(0);
  }
}

describe("a status that is held", () => {
  const before = statusOf(live(one("a")));
  const hold = { reason: "InvalidSpec", message: "spec.versions: the weights must sum to 100" } as const;

  it("says InvalidSpec for this generation and leaves what serves as it is", () => {
    const status = heldStatus(2, hold, before, Date.parse("2026-01-02T00:00:00Z"));
    expect(words(status)).to.equal("Available=True Ready=False/InvalidSpec Stalled=True");
    expect(status).to.deep.include({
      observedGeneration: 2,
      phase: "Degraded",
      revisions: before.revisions,
      rollout: before.rollout,
    });
  });

  it("is Failed when nothing was ever made", () => {
    const status = heldStatus(1, hold, {}, 0);
    expect(words(status)).to.equal("Available=False Ready=False/InvalidSpec Stalled=True");
    expect(status.phase).to.equal("Failed");
  });

  it("is Suspended, neither at work nor stuck, while spec.suspend is true", () => {
    const status = suspendedStatus(2, before, 0);
    expect(words(status)).to.equal("Available=True Ready=Unknown/Suspended");
    expect(status).to.deep.include({ phase: "Suspended", rollout: before.rollout });
  });
});
