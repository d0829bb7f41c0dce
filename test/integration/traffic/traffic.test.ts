import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { configMaps, pods, services } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import type { Operator } from "../../../operator/operator.ts";
import { newestRecord } from "../../../operator/plan/record.ts";
import { createBucketer } from "../../../operator/traffic/bucket.ts";
import { revisionAt } from "../../../operator/traffic/intervals.ts";
import { eventually } from "../../support/eventually.ts";
import { openFronts } from "../../support/front.ts";
import type { Fronts } from "../../support/front.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, condition, oneVersion, twoVersions } from "../objects/fixture.ts";
import type { ModelDeployment } from "../objects/fixture.ts";
import { predictForUsers, predictWhile } from "./clients.ts";

const sticky = { traffic: { sticky: { header: "x-user-id" } } };

interface RuntimePod extends KubeObject {
  status: { podIP: string; containerStatuses?: { containerID?: string }[] };
}

describe("traffic to real runtimes", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: Operator;
  let fixture: Fixture;
  let fronts: Fronts;

  before(async () => {
    cluster = await startTestCluster("processes");
    fixture = new Fixture(cluster);
    for (const document of parseAllDocuments(await readFile("examples/loan/configmaps.yaml", "utf8")))
      await fixture.create(configMaps, document.toJS() as KubeObject);
    operator = await cluster.startOperator();
    fronts = await openFronts(cluster.kubeConfig);
  });
  after(async () => {
    await fronts?.close();
    await operator?.stop();
    await cluster?.close();
  });

  it("is split by user as the model says, each user always meets one version, and 60/40 moves users from v1 to v2 only", async () => {
    await fixture.apply("loan", twoVersions(80, 20, sticky));
    const at80 = await fixture.ready("loan", 60_000);
    const port = await fronts.portOf(cluster.namespace, "loan");
    const users = Array.from({ length: 5_000 }, (_, index) => `user-${index}`);
    const before = await predictForUsers(port, users);
    expect(share(before, "v2")).to.be.closeTo(0.2, 0.03);
    expect(before).to.deep.equal(await predicted(at80, users));
    expect(await predictForUsers(port, users.slice(0, 500))).to.deep.equal(new Map([...before].slice(0, 500)));

    await fixture.apply("loan", twoVersions(60, 40, sticky));
    const at60 = await fixture.until(
      "loan",
      (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:60 v2:40",
    );
    expect(at60.status?.revisions?.map(({ weight }) => weight.verified)).to.deep.equal([60, 40]);
    const after = await predictForUsers(port, users);
    expect(after).to.deep.equal(await predicted(at60, users));
    const moved = users.filter((user) => before.get(user) !== after.get(user));
    expect(new Set(moved.map((user) => `${before.get(user)}->${after.get(user)}`))).to.deep.equal(new Set(["v1->v2"]));
    expect(moved.length / users.length).to.be.closeTo(0.2, 0.03);
  });

  it("loses no request while a new version of the model comes in, with routers and without", async () => {
    for (const [name, traffic] of [
      ["routed", sticky],
      ["direct", {}],
    ] as const) {
      await fixture.apply(name, { ...oneVersion, serving: { replicas: 2 }, ...traffic });
      await fixture.ready(name, 60_000);
      const port = await fronts.portOf(cluster.namespace, name);
      const result = await predictWhile(port, async () => {
        await fixture.apply(name, { source: { uri: "configmap://loan-v2" }, serving: { replicas: 2 }, ...traffic });
        const object = await fixture.ready(name, 60_000);
        await eventually(async () => {
          const left = await fixture.list(
            pods,
            `serving.slipway.dev/model-deployment=${name},app.kubernetes.io/component=revision`,
          );
          expect(left.map(({ metadata }) => metadata.labels?.["serving.slipway.dev/revision"])).to.satisfy(
            (revisions: string[]) => revisions.every((revision) => fixture.child(object, "v1").endsWith(revision)),
          );
        }, 60_000);
      });
      expect(result.failures, name).to.deep.equal([]);
      expect(result.sent, name).to.be.greaterThan(100);
      expect(result.versions, name).to.deep.equal(new Set(["1.0.0", "2.0.0"]));
    }
  });

  it("loses no request while routers come in front of a version, and go again", async () => {
    await fixture.apply("growing", { ...oneVersion, serving: { replicas: 2 } });
    await fixture.ready("growing", 60_000);
    const port = await fronts.portOf(cluster.namespace, "growing");
    const result = await predictWhile(port, async () => {
      await fixture.apply("growing", twoVersions(50, 50, { serving: { replicas: 2 }, ...sticky }));
      await fixture.until(
        "growing",
        (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:50 v2:50",
        60_000,
      );
      await fixture.apply("growing", { ...oneVersion, serving: { replicas: 2 } });
      await fixture.until(
        "growing",
        (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:100",
        60_000,
      );
      const front = await fixture.get<ModelDeployment>(services, "growing");
      expect(front.spec["selector"]).to.include({ "app.kubernetes.io/component": "revision" });
    });
    expect(result.failures).to.deep.equal([]);
  });

  it("loses only what was in flight on a runtime process that is killed", async () => {
    await fixture.apply("killed", { ...oneVersion, serving: { replicas: 3 }, ...sticky });
    await fixture.ready("killed", 60_000);
    const port = await fronts.portOf(cluster.namespace, "killed");
    const result = await predictWhile(port, async () => {
      const [victim] = await fixture.list<RuntimePod>(
        pods,
        "serving.slipway.dev/model-deployment=killed,app.kubernetes.io/component=revision",
      );
      const pid = Number(/(\d+)$/.exec(victim?.status.containerStatuses?.[0]?.containerID ?? "")?.[1]);
      expect(pid).to.be.greaterThan(1);
      process.kill(pid, "SIGKILL");
      await eventually(async () => {
        const again = await fixture.get<
          RuntimePod & { status: { containerStatuses: { restartCount: number; ready: boolean }[] } }
        >(pods, victim?.metadata.name ?? "");
        expect(again.status.containerStatuses[0]).to.include({ restartCount: 1, ready: true });
      }, 60_000);
    });
    expect(result.failures.length).to.be.at.most(result.clients);
  });

  for (const [title, data, source, reason, said] of [
    ["is missing", undefined, {}, "ArtifactNotFound", /model\.onnx/],
    [
      "has other bytes than the spec pins",
      "loan-v1",
      { sha256: "0".repeat(64) },
      "DigestMismatch",
      /sha256 is [0-9a-f]{64}, spec says 0{64}/,
    ],
    ["is a pickle", { "model.pkl": "gASV" }, {}, "UnsupportedFormat", /model\.pkl/],
    ["is no ONNX", { "model.onnx": "bm90IG9ubng=" }, {}, "InvalidModel", /model\.onnx/],
    [
      "does not take its metadata's features",
      "loan-v1",
      { features: ["age", "height"] },
      "SignatureMismatch",
      /height/,
    ],
  ] as const)
    it(`says within seconds that a model ${title}: ${reason}`, async () => {
      const name = reason.toLowerCase();
      const uri = await artifact(name, data, "features" in source ? source.features : undefined);
      await fixture.apply(name, { source: { uri, ...("sha256" in source && { sha256: source.sha256 }) } });
      const object = await fixture.until(name, (each) => each.status?.revisions?.[0]?.reason === reason);
      expect(object.status?.revisions?.[0]?.message).to.match(said);
      expect(condition(object, "Ready")).to.include({ status: "False", reason });
      expect(object.status?.phase).to.equal("Failed");
    });

  /** A ConfigMap of the test: given files, or the loan model with changed features. */
  async function artifact(
    name: string,
    data: string | object | undefined,
    features?: readonly string[],
  ): Promise<string> {
    if (data === undefined) return "configmap://there-is-none";
    if (typeof data === "object") {
      await fixture.create(configMaps, fixture.object("v1", "ConfigMap", name, { binaryData: data }));
      return `configmap://${name}`;
    }
    if (features === undefined) return `configmap://${data}`;
    const loan = await fixture.get<KubeObject & { data: Record<string, string>; binaryData: object }>(configMaps, data);
    const metadata = JSON.stringify({ ...(JSON.parse(loan.data["metadata.json"] ?? "{}") as object), features });
    const fields = { binaryData: loan.binaryData, data: { "metadata.json": metadata } };
    await fixture.create(configMaps, fixture.object("v1", "ConfigMap", name, fields));
    return `configmap://${name}`;
  }

  /** Which version the model in operator/traffic gives each user. */
  async function predicted(object: ModelDeployment, users: readonly string[]): Promise<Map<string, string>> {
    const bucketOf = await createBucketer();
    const record = newestRecord([object.status?.rollout]);
    const versions = new Map(object.status?.revisions?.map(({ revision, version }) => [revision, version]));
    const salt = `${cluster.namespace}/${object.metadata.name}`;
    return new Map(
      users.map((user) => [user, versions.get(revisionAt(record?.to.split ?? [], bucketOf(salt, user))) ?? "none"]),
    );
  }
});

function share(met: ReadonlyMap<string, string>, version: string): number {
  return [...met.values()].filter((each) => each === version).length / met.size;
}
