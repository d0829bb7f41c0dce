import { expect } from "chai";
import { configMaps, pods } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { folderDigest, listFiles } from "../../../runtime/source/file-tree.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, oneVersion } from "../objects/fixture.ts";
import type { ModelDeployment } from "../objects/fixture.ts";
import { predictWhile } from "./clients.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

interface RuntimePod extends KubeObject {
  status: { podIP: string; containerStatuses?: { containerID?: string }[] };
}

describe("when a runtime fails, traffic", function () {
  this.timeout(120_000);
  let running: RunningSystem;

  before(async () => {
    running = await startRunningSystem();
  });
  after(async () => running?.close());

  it("loses only what was in flight on a runtime process that is killed", async () => {
    await running.fixture.apply("killed", { ...oneVersion, serving: { replicas: 3 }, ...sticky });
    await running.fixture.ready("killed", 60_000);
    const port = await running.fronts.portOf(running.cluster.namespace, "killed");
    const result = await predictWhile(port, async () => {
      const [victim] = await running.fixture.list<RuntimePod>(
        pods,
        "serving.slipway.dev/model-deployment=killed,app.kubernetes.io/component=revision",
      );
      const pid = Number(/(\d+)$/.exec(victim?.status.containerStatuses?.[0]?.containerID ?? "")?.[1]);
      expect(pid).to.be.greaterThan(1);
      process.kill(pid, "SIGKILL");
      await eventually(async () => {
        const again = await running.fixture.get<
          RuntimePod & { status: { containerStatuses: { restartCount: number; ready: boolean }[] } }
        >(pods, victim?.metadata.name ?? "");
        expect(again.status.containerStatuses[0]).to.include({ restartCount: 1, ready: true });
      }, 60_000);
    });
    expect(result.failures.length).to.be.at.most(result.clients);
  });

  for (const [title, data, source, reason, said] of [
    ["is missing", undefined, {}, "ArtifactNotFound", /ConfigMap there-is-none holds no files, or is not there/],
    [
      "has other bytes than the spec pins",
      "loan-v1",
      { sha256: "0".repeat(64) },
      "DigestMismatch",
      /sha256 is [0-9a-f]{64}, spec says 0{64}/,
    ],
    [
      "is a pickle",
      { "model.pkl": "gASV" },
      {},
      "UnsupportedFormat",
      /model\.pkl is a pickled model; .* slipway\.save_model\(/,
    ],
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
      await running.fixture.apply(name, { source: { uri, ...("sha256" in source && { sha256: source.sha256 }) } });
      const object = await running.fixture.until(name, (each) => each.status?.revisions?.[0]?.reason === reason);
      expect(object.status?.revisions?.[0]?.message).to.match(said);
      expect(condition(object, "Ready")).to.include({ status: "False", reason });
      expect(object.status?.phase).to.equal("Failed");
    });

  it("says that pods serve different bytes when an artifact was overwritten between their starts: DigestDrift", async () => {
    const features = ["age", "income", "credit_score"];
    const uri = await artifact("drifting", "loan-v1", features);
    await running.fixture.apply("drifting", { source: { uri }, serving: { replicas: 2 } });
    await running.fixture.ready("drifting", 60_000);
    await running.fixture.patch(configMaps, "drifting", { data: { "golden.json": '{"rows": []}' } });
    const [victim] = await running.fixture.list(pods, "serving.slipway.dev/model-deployment=drifting");
    await running.fixture.delete(pods, victim?.metadata.name ?? "");
    const object = await running.fixture.until(
      "drifting",
      (each) => condition(each, "Stalled")?.reason === "DigestDrift",
      60_000,
    );
    expect(condition(object, "Available")).to.include({ status: "True" });
    expect(object.status?.revisions?.[0]).to.include({ state: "Degraded", reason: "DigestDrift" });
    expect(object.status?.revisions?.[0]?.message).to.match(/\(1 pod\), .*\(1 pod\); .*source\.sha256/);
  });

  it("goes to new bytes under the same address once the spec names their digest, and no request is lost", async () => {
    const digestOf = async (folder: string): Promise<string> =>
      folderDigest(folder, await listFiles(folder, folder, Number.POSITIVE_INFINITY));
    const uri = await artifact("overwritten", "loan-v1", []);
    const overwrite = async (from: string): Promise<void> => {
      const { data, binaryData } = await running.fixture.get<KubeObject & { data: object; binaryData: object }>(
        configMaps,
        from,
      );
      await running.fixture.patch(configMaps, "overwritten", { data, binaryData });
    };
    await overwrite("loan-v1");
    const pinned = async (folder: string): Promise<void> => {
      const source = { uri, sha256: await digestOf(folder) };
      await running.fixture.apply("overwritten", { source, serving: { replicas: 2 } });
      const isShown = ({ status }: ModelDeployment): boolean =>
        status?.revisions?.some(({ weight, sha256 }) => weight.verified === 100 && sha256 === source.sha256) === true;
      await running.fixture.until("overwritten", isShown, 60_000);
    };
    await pinned("examples/loan/1.0.0");
    const port = await running.fronts.portOf(running.cluster.namespace, "overwritten");
    const result = await predictWhile(port, async () => {
      await overwrite("loan-v2");
      await pinned("examples/loan/2.0.0");
    });
    expect(result.failures).to.deep.equal([]);
    await eventually(async () => {
      const { versions } = await predictWhile(port, async () => {});
      expect(versions).to.deep.equal(new Set(["2.0.0"]));
    }, 30_000);
  });

  it("does not go to a revision that refuses what users send, until they are said not to send it: SignatureMismatch", async () => {
    const all = ["age", "income", "credit_score"];
    const lenient = [...all.slice(0, 2), { name: "credit_score", nullable: true }];
    await running.fixture.apply("stricter", { source: { uri: await artifact("lenient", "loan-v1", lenient) } });
    await running.fixture.ready("stricter", 60_000);
    const source = { uri: await artifact("strict", "loan-v1", all) };
    await running.fixture.apply("stricter", { source });
    const held = await running.fixture.until(
      "stricter",
      (each) => condition(each, "Stalled")?.reason === "SignatureMismatch",
      60_000,
    );
    expect(condition(held, "Available")).to.include({ status: "True" });
    expect(condition(held, "Stalled")?.message).to.match(
      /takes no row without the feature "credit_score", v1-\w+ does/,
    );
    const [serving, next] = [...(held.status?.revisions ?? [])].toSorted((a, b) => b.weight.applied - a.weight.applied);
    expect(serving?.weight.applied).to.equal(100);
    expect(next).to.include({ state: "Ready", reason: "SignatureMismatch", uri: source.uri });
    expect(new Set([serving?.sha256, next?.sha256]), "digests").to.have.property("size", 2);
    await running.fixture.apply("stricter", { source, rollout: { checks: { signature: "Ignore" } } });
    await running.fixture.ready("stricter", 60_000);
  });

  /** A ConfigMap of the test: given files, or the loan model with changed features. */
  async function artifact(
    name: string,
    data: string | object | undefined,
    features?: readonly (string | object)[],
  ): Promise<string> {
    if (data === undefined) return "configmap://there-is-none";
    if (typeof data === "object") {
      await running.fixture.create(configMaps, running.fixture.object("v1", "ConfigMap", name, { binaryData: data }));
      return `configmap://${name}`;
    }
    if (features === undefined) return `configmap://${data}`;
    const loan = await running.fixture.get<KubeObject & { data: Record<string, string>; binaryData: object }>(
      configMaps,
      data,
    );
    const metadata = JSON.stringify({ ...(JSON.parse(loan.data["metadata.json"] ?? "{}") as object), features });
    const fields = { binaryData: loan.binaryData, data: { "metadata.json": metadata } };
    await running.fixture.create(configMaps, running.fixture.object("v1", "ConfigMap", name, fields));
    return `configmap://${name}`;
  }
});
