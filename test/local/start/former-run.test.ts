import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Pod } from "../../../local/cluster/objects.ts";
import { endFormerRun, otherModels } from "../../../local/start/former-run.ts";
import { applyManifest, readManifests } from "../../../local/start/manifests.ts";
import type { ModelDeployment } from "../../../local/start/model-deployment.ts";
import { FreshApiServer } from "../fresh-api-server.ts";

const crds = fileURLToPath(new URL("../../../crds", import.meta.url));
const pods = "/api/v1/namespaces/default/pods";
const models = "/apis/serving.slipway.dev/v1alpha1/namespaces/default/modeldeployments";

describe("what a former run left in the cluster", () => {
  const api = new FreshApiServer();

  async function addPod(name: string, nodeName: string, phase: string): Promise<void> {
    const spec = { nodeName, containers: [{ name: "main", image: "x:1" }] };
    await api.client.request("POST", pods, { body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec } });
    const status = {
      phase,
      podIP: "127.77.0.9",
      conditions: ["PodScheduled", "Ready"].map((type) => ({ type, status: "True" })),
      containerStatuses: [{ name: "main", image: "x:1", imageID: "", ready: true, restartCount: 3, state: {} }],
    };
    await api.client.request("PATCH", `${pods}/${name}/status`, { patch: "merge", body: { status } });
  }
  const statusOf = async (name: string) => (await api.client.request<Pod>("GET", `${pods}/${name}`)).status;

  it("are pods that run no more: unready, never restarted, at their addresses", async () => {
    await addPod("here", "local", "Running");
    await endFormerRun(api.client, "local");
    const status = await statusOf("here");
    expect(status).to.include({ phase: "Pending", podIP: "127.77.0.9" });
    expect(status?.conditions?.map(({ type }) => type)).to.deep.equal(["PodScheduled"]);
    expect(status).not.to.have.any.keys("containerStatuses", "startTime");
  });

  it("are not the pods that have finished, or run on another node", async () => {
    await addPod("finished", "local", "Succeeded");
    await addPod("elsewhere", "other", "Running");
    const before = [await statusOf("finished"), await statusOf("elsewhere")];
    await endFormerRun(api.client, "local");
    expect([await statusOf("finished"), await statusOf("elsewhere")]).to.deep.equal(before);
  });

  it("are models that the operator must look at before their status counts", async () => {
    expect(await otherModels(api.client, "loan")).to.deep.equal([]);
    for (const crd of readManifests(crds)) await applyManifest(api.client, crd);
    for (const name of ["loan", "mine"]) {
      const spec = { source: { uri: "file:///models/loan/" } };
      await api.client.request("POST", models, {
        body: { apiVersion: "serving.slipway.dev/v1alpha1", kind: "ModelDeployment", metadata: { name }, spec },
      });
      const status = { observedGeneration: 1, phase: "Serving" };
      await api.client.request("PATCH", `${models}/${name}/status`, { patch: "merge", body: { status } });
    }
    await endFormerRun(api.client, "local");
    const { status } = await api.client.request<ModelDeployment>("GET", `${models}/loan`);
    expect(status).to.deep.equal({ observedGeneration: 0, phase: "Serving" });
    expect(await otherModels(api.client, "loan")).to.deep.equal(["mine"]);
  });
});
