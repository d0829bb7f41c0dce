import { expect } from "chai";
import { pods, services } from "../../../operator/kube/objects.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, oneVersion, twoVersions } from "../objects/fixture.ts";
import type { ModelDeployment } from "../objects/fixture.ts";
import { predictWhile } from "./clients.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

describe("traffic during a change", function () {
  this.timeout(120_000);
  let running: RunningSystem;

  before(async () => {
    running = await startRunningSystem();
  });
  after(async () => running?.close());

  it("loses no request while a new version of the model comes in, with routers and without", async () => {
    const losesNone = async (name: string, traffic: object): Promise<void> => {
      await running.fixture.apply(name, { ...oneVersion, serving: { replicas: 2 }, ...traffic });
      await running.fixture.ready(name, 60_000);
      const port = await running.fronts.portOf(running.cluster.namespace, name);
      const result = await predictWhile(port, async () => {
        await running.fixture.apply(name, {
          source: { uri: "configmap://loan-v2" },
          serving: { replicas: 2 },
          ...traffic,
        });
        const object = await running.fixture.ready(name, 60_000);
        await eventually(async () => {
          const left = await running.fixture.list(
            pods,
            `serving.slipway.dev/model-deployment=${name},app.kubernetes.io/component=revision`,
          );
          expect(left.map(({ metadata }) => metadata.labels?.["serving.slipway.dev/revision"])).to.satisfy(
            (revisions: string[]) =>
              revisions.every((revision) => running.fixture.child(object, "v1").endsWith(revision)),
          );
        }, 60_000);
      });
      expect(result.failures, name).to.deep.equal([]);
      expect(result.sent, name).to.be.greaterThan(100);
      expect(result.versions, name).to.deep.equal(new Set(["1.0.0", "2.0.0"]));
    };
    await Promise.all([losesNone("routed", sticky), losesNone("direct", {})]);
  });

  it("loses no request while routers come in front of a version, and go again", async () => {
    await running.fixture.apply("growing", { ...oneVersion, serving: { replicas: 2 } });
    await running.fixture.ready("growing", 60_000);
    const port = await running.fronts.portOf(running.cluster.namespace, "growing");
    const result = await predictWhile(port, async () => {
      await running.fixture.apply("growing", twoVersions(50, 50, { serving: { replicas: 2 }, ...sticky }));
      await running.fixture.until(
        "growing",
        (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:50 v2:50",
        60_000,
      );
      await running.fixture.apply("growing", { ...oneVersion, serving: { replicas: 2 } });
      await running.fixture.until(
        "growing",
        (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:100",
        60_000,
      );
      const front = await running.fixture.get<ModelDeployment>(services, "growing");
      expect(front.spec["selector"]).to.include({ "app.kubernetes.io/component": "revision" });
    });
    expect(result.failures).to.deep.equal([]);
  });
});
