import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { parse } from "yaml";
import { predictForUsers, predictWhile } from "../integration/traffic/clients.ts";
import { startRunningSystem } from "../integration/traffic/running-system.ts";
import type { RunningSystem } from "../integration/traffic/running-system.ts";

const EXAMPLE = resolve("examples/custom-python");

// Needs CUSTOM_PYTHON, a Python with the example's requirements.txt.
describe("the example custom-python", function () {
  this.timeout(180_000);
  const python = process.env["CUSTOM_PYTHON"] ?? "";
  let folder: string;
  let running: RunningSystem;
  let spec: { versions: { name: string; serving?: object }[] };

  before(async () => {
    expect(python, "CUSTOM_PYTHON").to.not.equal("");
    folder = await mkdtemp("/var/tmp/slipway-custom-python-"); // the pods have a /tmp of their own
    await promisify(execFile)(python, [join(EXAMPLE, "train.py"), join(folder, "model.joblib")]);
    running = await startRunningSystem([{ image: "loan-api", command: [python, join(EXAMPLE, "app.py")] }]);
    const manifest = parse(await readFile(join(EXAMPLE, "model-deployment.yaml"), "utf8")) as { spec: typeof spec };
    ({ spec } = manifest);
  });
  after(async () => {
    await running?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const withModel = (more: object = {}) => ({
    ...spec,
    versions: spec.versions.map((version) =>
      version.name === "fastapi"
        ? {
            ...version,
            serving: {
              ...version.serving,
              ...more,
              env: [{ name: "MODEL_FILE", value: join(folder, "model.joblib") }],
            },
          }
        : version,
    ),
  });

  it("shares the traffic with the ONNX model", async () => {
    await running.fixture.apply("loan-mixed", withModel());
    await running.fixture.ready("loan-mixed", 90_000);
    const port = await running.fronts.portOf(running.cluster.namespace, "loan-mixed");
    const users = Array.from({ length: 300 }, (_, index) => `user-${index}`);
    const met = await predictForUsers(port, users);
    expect(new Set(met.values())).to.deep.equal(new Set(["fastapi", "onnx"]));
    expect(await predictForUsers(port, users)).to.deep.equal(met);
  });

  it("loses no request when its pods are replaced", async () => {
    const port = await running.fronts.portOf(running.cluster.namespace, "loan-mixed");
    const before = (await running.fixture.ready("loan-mixed")).status?.revisions;
    const load = await predictWhile(port, async () => {
      await running.fixture.apply("loan-mixed", withModel({ probes: { readiness: { periodSeconds: 2 } } }));
      await running.fixture.until(
        "loan-mixed",
        ({ status }) =>
          status?.revisions?.length === 2 &&
          status.revisions.every(({ state }) => state === "Serving") &&
          status.revisions.some(({ revision }) => !before?.some((old) => old.revision === revision)),
        90_000,
      );
    });
    expect(load.failures).to.deep.equal([]);
    expect(load.sent).to.be.greaterThan(100);
  });
});
