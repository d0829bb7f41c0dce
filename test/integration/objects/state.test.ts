import type { CoreV1Event } from "@kubernetes/client-node";
import { expect } from "chai";
import { applyStatus } from "../../../operator/kube/apply.ts";
import { deployments, events, leases, pods, services } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import type { Operator } from "../../../operator/operator.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { isReady } from "../../../operator/status/pod-failure.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, condition, oneVersion } from "./fixture.ts";
import type { ModelDeployment } from "./fixture.ts";

const RECORD = "serving.slipway.dev/rollout-record";

describe("what the operator knows", function () {
  this.timeout(90_000);
  let cluster: TestCluster;
  let fixture: Fixture;
  let operator: Operator | undefined;

  before(async () => {
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
  });
  afterEach(async () => {
    await operator?.stop();
    operator = undefined;
  });
  after(async () => cluster?.close());

  it("is in the cluster: at rest it writes nothing, and neither does a restart", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("resting", { ...oneVersion, serving: { replicas: 2 } });
    await fixture.ready("resting");
    const before = await versions("resting");
    await operator.stop();
    operator = await cluster.startOperator();
    await fixture.patch(modelDeployments, "resting", { metadata: { annotations: { poke: "once" } } });
    await writesOf(operator, 0);
    expect(await versions("resting")).to.deep.equal(before);
  });

  it("is written to the status alone: everything else of an object is its author's, and nothing delays its end", async () => {
    operator = await cluster.startOperator();
    const { metadata, spec } = await fixture.apply("authored", {
      ...oneVersion,
      serving: { autoscaling: { maxReplicas: 2 } },
    });
    const object = await fixture.ready("authored");
    expect(object.spec).to.deep.equal(spec);
    expect(object.metadata.generation).to.equal(metadata.generation);
    expect(object.metadata).to.not.have.any.keys("finalizers", "labels", "annotations");
    const ours = object.metadata.managedFields?.filter(({ manager }) => manager?.startsWith("slipway"));
    expect(ours?.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1 ?? {}))).to.deep.equal(["f:status"]);
  });

  it("is not needed by what serves: pods that go while no operator runs are replaced and become ready", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("alone", { ...oneVersion, serving: { replicas: 2 } });
    await fixture.ready("alone");
    await operator.stop();
    operator = undefined;
    const podsNow = async () => fixture.list<Pod>(pods, "serving.slipway.dev/model-deployment=alone");
    const before = await podsNow();
    for (const { metadata } of before) await fixture.delete(pods, metadata.name);
    await eventually(async () => {
      const now = await podsNow();
      expect(now.filter(isReady)).to.have.length(2);
      expect(now.map(({ metadata }) => metadata.uid)).to.not.have.any.members(
        before.map(({ metadata }) => metadata.uid),
      );
    }, 30_000);
  });

  it("survives the loss of the status, or of the record's annotation", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("forgetful", oneVersion);
    const { status } = await fixture.ready("forgetful");
    await fixture.patchStatus(modelDeployments, "forgetful", null);
    expect((await fixture.ready("forgetful")).status?.rollout).to.deep.equal(status?.rollout);

    await fixture.patch(services, "forgetful", { metadata: { annotations: { [RECORD]: null } } });
    await eventually(async () => {
      const { annotations = {} } = (await fixture.get(services, "forgetful")).metadata;
      expect(JSON.parse(annotations[RECORD] ?? "{}")).to.deep.equal(status?.rollout);
    });
  });

  it("is replaced as a whole in the status: nothing of an earlier record stays, not even as null", async () => {
    const object = await fixture.apply("replaced", oneVersion);
    const { name, namespace = "" } = object.metadata;
    const written = async (draining: object) => {
      const status = { rollout: { sequence: 1, draining } };
      const applied = { ...object, metadata: { name, namespace }, spec: undefined, status };
      await applyStatus(cluster.client, modelDeployments, applied, { fieldManager: "slipway-operator" });
      return (await fixture.get<ModelDeployment>(modelDeployments, "replaced")).status?.rollout;
    };
    await written({ "v1-a": "2026-01-01T00:00:00Z" });
    expect(await written({})).to.deep.equal({ sequence: 1, draining: {} });
  });

  it("holds everything as it is when both copies are lost, until the spec changes", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("lost", oneVersion);
    const object = await fixture.ready("lost");
    await operator.stop();
    await fixture.patch(services, "lost", { metadata: { annotations: { [RECORD]: null } } });
    await fixture.patchStatus(modelDeployments, "lost", null);
    operator = await cluster.startOperator();
    await fixture.until("lost", (each) => condition(each, "Stalled")?.reason === "StateLost");
    expect(await fixture.find(deployments, fixture.child(object, "v1"))).to.not.equal(undefined);

    await fixture.apply("lost", { source: { uri: "configmap://loan-v2" } });
    const changed = await fixture.ready("lost");
    expect(changed.status?.split).to.equal("v1:100");
    expect(fixture.child(changed, "v1")).to.not.equal(fixture.child(object, "v1"));
    await eventually(async () =>
      expect(await fixture.find(deployments, fixture.child(object, "v1"))).to.equal(undefined),
    );
  });

  it("brings a changed artifact in by make before break", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("moving", { ...oneVersion, serving: { replicas: 2 } });
    const old = fixture.child(await fixture.ready("moving"), "v1");
    await fixture.apply("moving", { source: { uri: "configmap://loan-v2" }, serving: { replicas: 2 } });
    const moved = await fixture.ready("moving");
    const current = fixture.child(moved, "v1");
    expect(current).to.not.equal(old);
    const front = await fixture.get<ModelDeployment>(services, "moving");
    expect(front.spec["selector"]).to.include({ "serving.slipway.dev/revision": current.slice("moving-".length) });
    await eventually(async () => expect(await fixture.find(deployments, old)).to.equal(undefined));
  });

  it("changes nothing of a suspended object", async () => {
    operator = await cluster.startOperator();
    await fixture.apply("paused", oneVersion);
    const name = fixture.child(await fixture.ready("paused"), "v1");
    await fixture.apply("paused", { ...oneVersion, suspend: true, serving: { replicas: 3 } });
    await fixture.until("paused", ({ status }) => status?.phase === "Suspended");
    await eventually(async () => expect(await told("paused")).to.include("Ready")); // Events come after the status
    const writes = await writeCount(operator);
    await fixture.patch(deployments, name, { spec: { replicas: 0 } });
    await fixture.patch(modelDeployments, "paused", { metadata: { annotations: { poke: "once" } } });
    await writesOf(operator, writes);
    expect((await fixture.get<ModelDeployment>(deployments, name)).spec).to.include({ replicas: 0 });
    await fixture.apply("paused", { ...oneVersion, serving: { replicas: 3 } });
    await fixture.ready("paused");
    expect((await fixture.get<ModelDeployment>(deployments, name)).spec).to.include({ replicas: 3 });
  });

  it("is worked on by one operator at a time, and handed over when that one stops", async () => {
    operator = await cluster.startOperator({ leaderElection: true });
    await fixture.apply("led", oneVersion);
    await fixture.ready("led");
    const first = await holder();
    const second = await cluster.startOperator({ leaderElection: true });
    try {
      expect(await holder()).to.equal(first);
      expect(await writeCount(second)).to.equal(0);
      await operator.stop();
      operator = undefined;
      await fixture.apply("led", { ...oneVersion, serving: { replicas: 2 } });
      await fixture.ready("led");
      expect(await holder()).to.not.equal(first);
    } finally {
      await second.stop();
    }
  });

  /** The reasons of the Events about this ModelDeployment. */
  async function told(name: string): Promise<(string | undefined)[]> {
    const all = await fixture.list<CoreV1Event & KubeObject>(events);
    return all.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason);
  }

  async function holder(): Promise<unknown> {
    const [lease] = await fixture.list<KubeObject & { spec: { holderIdentity: string } }>(leases);
    return lease?.spec.holderIdentity;
  }

  async function versions(name: string): Promise<Record<string, string | undefined>> {
    const children = await fixture.list(deployments, `serving.slipway.dev/model-deployment=${name}`);
    const all = [...children, await fixture.get(services, name)];
    return Object.fromEntries(all.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  }

  /** Waits until the operator has reconciled and is idle, then compares how often it wrote anything. */
  async function writesOf(of: Operator, expected: number): Promise<void> {
    await eventually(async () => {
      const text = await metrics(of);
      expect(sum(text, "controller_runtime_reconcile_total")).to.be.greaterThan(0);
      expect(sum(text, "workqueue_depth") + sum(text, "controller_runtime_active_workers")).to.equal(0);
    });
    expect(await writeCount(of)).to.equal(expected);
  }

  async function writeCount(of: Operator): Promise<number> {
    const text = await metrics(of);
    const writes = text
      .split("\n")
      .filter((line) => /^rest_client_requests_total\{.*method="(PATCH|POST|PUT|DELETE)"/.test(line));
    return writes.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  }

  async function metrics(of: Operator): Promise<string> {
    return (await fetch(`http://127.0.0.1:${of.metricsPort}/metrics`)).text();
  }
});

function sum(text: string, metric: string): number {
  const lines = text.split("\n").filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `));
  return lines.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
}
