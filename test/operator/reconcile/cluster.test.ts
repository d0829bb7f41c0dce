import { expect } from "chai";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { Cluster } from "../../../operator/reconcile/cluster.ts";
import { RecordingClient } from "../../support/operator/recording-client.ts";

const ownerReferences = [
  { apiVersion: "v1", kind: "ModelDeployment", name: "loan", uid: "uid-loan", controller: true },
];
const owner: KubeObject = {
  apiVersion: "v1",
  kind: "ModelDeployment",
  metadata: { name: "loan", namespace: "credit", uid: "uid-loan" },
};
const desired = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "loan-v1", namespace: "credit", ownerReferences },
  spec: { revisionHistoryLimit: 1 },
} as KubeObject;

/** A Deployment of 4 pods that we wrote, as the API server answers: with every manager of any field. */
function written(...managers: { manager: string; ownsReplicas: boolean }[]): KubeObject {
  const managedFields = managers.map(({ manager, ownsReplicas }) => ({
    manager,
    operation: "Update",
    apiVersion: "apps/v1",
    fieldsV1: ownsReplicas ? { "f:spec": { "f:replicas": {} } } : { "f:status": {} },
  }));
  return { ...desired, metadata: { ...desired.metadata, managedFields }, spec: { replicas: 4 } } as KubeObject;
}

async function writesFor(existing: KubeObject): Promise<string[]> {
  const client = new RecordingClient();
  client.put(existing);
  await new Cluster(client, () => {}).apply(owner, [desired], [existing], new Map([["Deployment/loan-v1", 2]]));
  return client.writes;
}

describe("Cluster", () => {
  const ours = { manager: "slipway-operator", ownsReplicas: true };
  const status = { manager: "kube-controller-manager", ownsReplicas: false };

  it("hands the replicas over before it lets go of them, whoever else owns other fields", async () => {
    const twice = ["PATCH Deployment/loan-v1", "PATCH Deployment/loan-v1"];
    expect(await writesFor(written(ours))).to.deep.equal(twice);
    expect(await writesFor(written(ours, status))).to.deep.equal(twice);
  });

  it("lets go of the replicas at once when somebody else holds them too", async () => {
    const autoscaler = { manager: "kube-controller-manager", ownsReplicas: true };
    expect(await writesFor(written(ours, autoscaler))).to.deep.equal(["PATCH Deployment/loan-v1"]);
  });

  for (const [what, metadata, isLive] of [
    ["is there", {}, true],
    ["is on its way out", { deletionTimestamp: "2026-01-01T00:00:00Z" }, false],
    ["was made again under the same name", { uid: "uid-successor" }, false],
    ["is gone", undefined, false],
  ] as const)
    it(`knows by the API server whether an object lives that ${what}`, async () => {
      const client = new RecordingClient();
      if (metadata !== undefined) client.put({ ...owner, metadata: { ...owner.metadata, ...metadata } });
      expect(await new Cluster(client, () => {}).isLive(owner)).to.equal(isLive);
      expect(client.writes).to.deep.equal([]);
    });
});
