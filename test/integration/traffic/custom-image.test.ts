import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { predictForUsers } from "./clients.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

const IMAGE = "registry.example:5000/credit/loan-api:1.4";
const program = {
  image: "loan-api",
  command: [process.execPath, fileURLToPath(new URL("../../support/contract-server.ts", import.meta.url))],
} as const;

const versions = (serving: object = {}) => [
  { name: "mine", weight: 50, image: IMAGE, serving },
  { name: "onnx", weight: 50, source: { uri: "configmap://loan-v2" } },
];

describe("a version with an image of the user's own", function () {
  this.timeout(120_000);
  let running: RunningSystem;

  before(async () => {
    running = await startRunningSystem([program]);
  });
  after(async () => running?.close());

  it("shares the traffic with a version that the runtime serves", async () => {
    await running.fixture.apply("mixed", { versions: versions(), ...sticky });
    const object = await running.fixture.ready("mixed", 60_000);
    expect(object.status?.split).to.equal("mine:50 onnx:50");
    const port = await running.fronts.portOf(running.cluster.namespace, "mixed");
    const users = Array.from({ length: 400 }, (_, index) => `user-${index}`);
    const met = await predictForUsers(port, users);
    const counts = [...Map.groupBy(met.values(), (version) => version)].map(([version, all]) => [version, all.length]);
    expect(new Map(counts as [string, number][])).to.have.all.keys("mine", "onnx");
    for (const [, count] of counts) expect(count).to.be.closeTo(200, 60);
    expect(await predictForUsers(port, users)).to.deep.equal(met);
  });

  it("says in the runtime's own form why it does not start, and what serves goes on serving", async () => {
    const words = { reason: "InvalidModel", message: "loading model.joblib: it is empty", permanent: true };
    const env = [{ name: "FAIL_WITH", value: JSON.stringify(words) }];
    await running.fixture.apply("mixed", { versions: versions({ env }), ...sticky });
    const object = await running.fixture.until(
      "mixed",
      ({ status }) => status?.revisions?.some(({ state }) => state === "Failed") === true,
    );
    const failed = object.status?.revisions?.find(({ state }) => state === "Failed");
    expect(failed).to.include({ version: "mine", reason: words.reason, message: words.message, image: IMAGE });
    const port = await running.fronts.portOf(running.cluster.namespace, "mixed");
    const met = await predictForUsers(
      port,
      Array.from({ length: 50 }, (_, index) => `user-${index}`),
    );
    expect(new Set(met.values())).to.deep.equal(new Set(["mine", "onnx"]));
  });
});
