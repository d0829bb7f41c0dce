import { expect } from "chai";
import { configMaps, pods } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, oneVersion } from "../objects/fixture.ts";
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

  /** A ConfigMap of the test: given files, or the loan model with changed features. */
  async function artifact(
    name: string,
    data: string | object | undefined,
    features?: readonly string[],
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
