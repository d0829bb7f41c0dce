import { expect } from "chai";
import type { KubeObject } from "../../../local/cluster/objects.ts";
import { hasStatus } from "../../../local/cluster/client.ts";
import { eventually } from "../../support/eventually.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";

interface Condition {
  type: string;
  status: string;
  reason: string;
  message?: string;
}

interface Workload extends KubeObject {
  spec: { replicas: number };
  status: Record<string, unknown> & { conditions?: Condition[] };
}

const namespace = "/api/v1/namespaces/default";
const apps = "/apis/apps/v1/namespaces/default";

function deployment(name: string, spec: object = {}, labels: object = {}, image = "x:1"): object {
  const template = { metadata: { labels: { app: name, ...labels } }, spec: { containers: [{ name: "c", image }] } };
  return { metadata: { name }, spec: { replicas: 3, selector: { matchLabels: { app: name } }, template, ...spec } };
}

describe("the control plane's controllers", () => {
  let plane: ControlPlane;
  const get = <T = Workload>(path: string): Promise<T> => plane.client.request<T>("GET", path);
  const list = async <T = Workload>(path: string): Promise<T[]> => (await get<{ items: T[] }>(path)).items;
  const post = (path: string, body: object): Promise<KubeObject> => plane.client.request("POST", path, { body });
  const patch = (path: string, body: object): Promise<unknown> =>
    plane.client.request("PATCH", path, { body, patch: "merge" });
  const remove = (path: string, body: object = {}): Promise<unknown> => plane.client.request("DELETE", path, { body });
  const gone = async (path: string): Promise<void> => {
    const found = await get(path).then(
      () => true,
      (error: unknown) => !hasStatus(error, 404),
    );
    expect(found, path).to.equal(false);
  };
  const condition = ({ status }: Workload, type: string): Condition | undefined =>
    status.conditions?.find((each) => each.type === type);
  const settled = (name: string): Promise<Workload> =>
    eventually(async () => {
      const found = await get(`${apps}/deployments/${name}`);
      expect(found.status).to.include({
        observedGeneration: found.metadata.generation,
        availableReplicas: found.spec.replicas,
        replicas: found.spec.replicas,
        updatedReplicas: found.spec.replicas,
      });
      expect(condition(found, "Progressing")?.reason).to.equal("NewReplicaSetAvailable");
      return found;
    });

  beforeEach(async () => {
    plane = await startControlPlane();
  });
  afterEach(() => plane.close());

  it("bring a Deployment's pods up and say so", async () => {
    await post(`${apps}/deployments`, deployment("web"));
    const web = await settled("web");
    expect(web.metadata.annotations).to.include({ "deployment.kubernetes.io/revision": "1" });
    expect(condition(web, "Available")).to.include({ status: "True", reason: "MinimumReplicasAvailable" });
    const [replicaSet] = await list(`${apps}/replicasets`);
    const pods = await list(`${namespace}/pods`);
    expect(pods).to.have.length(3);
    for (const pod of pods) {
      expect(pod.metadata.name).to.match(new RegExp(`^${replicaSet?.metadata.name}-[a-z0-9]{5}$`));
      expect(pod.metadata.ownerReferences?.[0]).to.include({
        kind: "ReplicaSet",
        controller: true,
        uid: replicaSet?.metadata.uid,
      });
    }
  });

  it("roll a changed template over without ever having too few or too many pods", async () => {
    await post(
      `${apps}/deployments`,
      deployment("web", { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
    );
    await settled("web");
    const counts: number[] = [];
    await patch(`${apps}/deployments/web`, { spec: { template: { metadata: { annotations: { changed: "yes" } } } } });
    await eventually(async () => {
      const active = (await list(`${namespace}/pods`)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
      counts.push(active.length);
      const sets = await list(`${apps}/replicasets`);
      expect(sets.map(({ spec }) => spec.replicas).sort((a, b) => a - b)).to.deep.equal([0, 3]);
    });
    expect(Math.min(...counts)).to.be.at.least(3);
    expect(Math.max(...counts)).to.be.at.most(4);
    expect((await settled("web")).metadata.annotations).to.include({ "deployment.kubernetes.io/revision": "2" });
  });

  it("give a template that comes back its old ReplicaSet and a new revision", async () => {
    await post(`${apps}/deployments`, deployment("web"));
    await settled("web");
    for (const changed of ["yes", null]) {
      await patch(`${apps}/deployments/web`, { spec: { template: { metadata: { annotations: { changed } } } } });
      await settled("web");
    }
    expect(await list(`${apps}/replicasets`)).to.have.length(2);
    expect((await settled("web")).metadata.annotations).to.include({ "deployment.kubernetes.io/revision": "3" });
  });

  it("scale up and down, and replace pods that are deleted", async () => {
    await post(`${apps}/deployments`, deployment("web"));
    await settled("web");
    for (const replicas of [5, 1]) {
      await patch(`${apps}/deployments/web/scale`, { spec: { replicas } });
      await settled("web");
      await eventually(async () => expect(await list(`${namespace}/pods`)).to.have.length(replicas));
    }
    const [before] = await list(`${namespace}/pods`);
    await remove(`${namespace}/pods/${before?.metadata.name}`);
    await eventually(async () => {
      const [after] = await list(`${namespace}/pods`);
      expect(after?.metadata.uid).to.be.a("string").that.does.not.equal(before?.metadata.uid);
    });
  });

  it("recreate when asked to, the old pods gone before the new ones come", async () => {
    await post(`${apps}/deployments`, deployment("web", { strategy: { type: "Recreate" } }));
    await settled("web");
    await patch(`${apps}/deployments/web`, { spec: { template: { metadata: { labels: { v: "2" } } } } });
    await eventually(async () => {
      const versions = new Set((await list(`${namespace}/pods`)).map((pod) => pod.metadata.labels?.["v"]));
      expect(versions.size, "old and new pods at once").to.be.at.most(1);
      expect([...versions]).to.deep.equal(["2"]);
    });
    await settled("web");
  });

  it("say that progress is overdue", async () => {
    await remove("/api/v1/nodes/instant");
    await post(`${apps}/deployments`, deployment("stuck", { progressDeadlineSeconds: 1 }));
    await eventually(async () => {
      const stuck = await get(`${apps}/deployments/stuck`);
      expect(condition(stuck, "Progressing")).to.include({ status: "False", reason: "ProgressDeadlineExceeded" });
      expect(condition(stuck, "Available")).to.include({ status: "False", reason: "MinimumReplicasUnavailable" });
    });
  });

  it("say why a pod is not scheduled, and schedule it once a node can take it", async () => {
    await remove("/api/v1/nodes/instant");
    const big = { containers: [{ name: "c", image: "x:1", resources: { requests: { cpu: "4" } } }] };
    await post(`${namespace}/pods`, { metadata: { name: "big" }, spec: big });
    const scheduled = async (): Promise<Condition | undefined> =>
      condition(await get(`${namespace}/pods/big`), "PodScheduled");
    await eventually(async () =>
      expect(await scheduled()).to.include({
        status: "False",
        reason: "Unschedulable",
        message: "no nodes available to schedule pods",
      }),
    );
    const node = (name: string, cpu: string): object => ({
      metadata: { name },
      status: { allocatable: { cpu, memory: "1Gi", pods: "10" }, conditions: [{ type: "Ready", status: "True" }] },
    });
    await post("/api/v1/nodes", node("small", "1"));
    await eventually(async () =>
      expect((await scheduled())?.message).to.equal("0/1 nodes are available: 1 Insufficient cpu."),
    );
    await post("/api/v1/nodes", node("large", "8"));
    await eventually(async () =>
      expect(await get(`${namespace}/pods/big`)).to.have.nested.property("spec.nodeName", "large"),
    );
  });

  it("write Events that kubectl describe shows", async () => {
    await post(`${apps}/deployments`, deployment("web", { replicas: 1 }));
    await settled("web");
    await eventually(async () => {
      const reasons = (await list<{ reason: string }>(`${namespace}/events`)).map(({ reason }) => reason);
      expect(reasons).to.include.members(["ScalingReplicaSet", "SuccessfulCreate", "Scheduled"]);
    });
  });

  it("delete what an owner owned, in the background and in the foreground", async () => {
    for (const propagationPolicy of ["Background", "Foreground"]) {
      await post(`${apps}/deployments`, deployment("web"));
      await settled("web");
      await remove(`${apps}/deployments/web`, { propagationPolicy });
      await eventually(async () => {
        await gone(`${apps}/deployments/web`);
        expect(await list(`${apps}/replicasets`)).to.deep.equal([]);
        expect(await list(`${namespace}/pods`)).to.deep.equal([]);
      });
    }
  });

  it("leave orphans when asked to", async () => {
    await post(`${apps}/deployments`, deployment("web"));
    await settled("web");
    await remove(`${apps}/deployments/web`, { propagationPolicy: "Orphan" });
    await eventually(() => gone(`${apps}/deployments/web`));
    const [left] = await list(`${apps}/replicasets`);
    expect(left?.metadata.ownerReferences ?? []).to.deep.equal([]);
  });

  it("leave orphans that were made just before, too", async () => {
    for (const name of Array.from({ length: 10 }, (_, index) => `young-${index}`)) {
      await post(`${apps}/deployments`, deployment(name));
      const owned = async (): Promise<KubeObject[]> =>
        (await list(`${apps}/replicasets`)).filter(({ metadata }) => metadata.name.startsWith(`${name}-`));
      while ((await owned()).length === 0);
      await remove(`${apps}/deployments/${name}`, { propagationPolicy: "Orphan" });
      await eventually(() => gone(`${apps}/deployments/${name}`));
      expect((await owned()).map(({ metadata }) => metadata.ownerReferences ?? [])).to.deep.equal([[]]);
    }
  });

  it("delete what custom resources owned, but only once no owner is left", async () => {
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: "owners.acme.io" },
      spec: {
        group: "acme.io",
        scope: "Namespaced",
        names: { plural: "owners", kind: "Owner" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
    const path = "/apis/acme.io/v1/namespaces/default/owners";
    const owners = await Promise.all(
      ["one", "two"].map((name) => post(path, { apiVersion: "acme.io/v1", kind: "Owner", metadata: { name } })),
    );
    const ownerReferences = owners.map(({ metadata: { name, uid } }) => ({
      apiVersion: "acme.io/v1",
      kind: "Owner",
      name,
      uid,
    }));
    await post(`${namespace}/configmaps`, { metadata: { name: "owned", ownerReferences } });
    await remove(`${path}/one`);
    await post(`${namespace}/configmaps`, {
      metadata: { name: "astray", ownerReferences: [{ ...ownerReferences[0], uid: "wrong" }] },
    });
    await eventually(() => gone(`${namespace}/configmaps/astray`));
    expect((await get(`${namespace}/configmaps/owned`)).metadata.name).to.equal("owned");
    await remove(`${path}/two`);
    await eventually(() => gone(`${namespace}/configmaps/owned`));
  });

  it("empty a deleted namespace before it goes", async () => {
    await post("/api/v1/namespaces", { metadata: { name: "team" } });
    await eventually(() => get("/api/v1/namespaces/team/serviceaccounts/default"));
    await post("/api/v1/namespaces/team/configmaps", { metadata: { name: "a", finalizers: ["example.com/hold"] } });
    await post("/apis/apps/v1/namespaces/team/deployments", deployment("web"));
    await remove("/api/v1/namespaces/team");
    const refused = await post("/api/v1/namespaces/team/configmaps", { metadata: { name: "late" } }).then(
      () => "accepted",
      (error: unknown) => String(error),
    );
    expect(refused).to.contain("unable to create new content in namespace team because it is being terminated");
    await eventually(() => gone("/apis/apps/v1/namespaces/team/deployments/web"));
    expect((await get("/api/v1/namespaces/team")).status).to.deep.include({ phase: "Terminating" });
    await patch("/api/v1/namespaces/team/configmaps/a", { metadata: { finalizers: null } });
    await eventually(() => gone("/api/v1/namespaces/team"));
  });

  it("keep an autoscaler's target within its bounds, and say that there are no metrics", async () => {
    await post(`${apps}/deployments`, deployment("web", { replicas: 1 }));
    const spec = {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      minReplicas: 2,
      maxReplicas: 4,
    };
    await post("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", { metadata: { name: "web" }, spec });
    await eventually(async () => expect((await get(`${apps}/deployments/web`)).spec.replicas).to.equal(2));
    await patch(`${apps}/deployments/web/scale`, { spec: { replicas: 9 } });
    await eventually(async () => expect((await get(`${apps}/deployments/web`)).spec.replicas).to.equal(4));
    await eventually(async () => {
      const autoscaler = await get("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web");
      expect(condition(autoscaler, "AbleToScale")?.status).to.equal("True");
      expect(condition(autoscaler, "ScalingActive")).to.include({ status: "False", reason: "FailedGetResourceMetric" });
      expect(autoscaler.status).to.include({ currentReplicas: 4, desiredReplicas: 4 });
    });
  });

  it("count the disruptions that a budget allows, and refuse evictions beyond them", async () => {
    await post(`${apps}/deployments`, deployment("web", { replicas: 2 }));
    await settled("web");
    const spec = { minAvailable: 2, selector: { matchLabels: { app: "web" } } };
    await post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", { metadata: { name: "web" }, spec });
    const budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";
    await eventually(async () =>
      expect((await get(budget)).status).to.include({
        disruptionsAllowed: 0,
        currentHealthy: 2,
        desiredHealthy: 2,
        expectedPods: 2,
      }),
    );
    const [pod] = await list(`${namespace}/pods`);
    const eviction = await post(`${namespace}/pods/${pod?.metadata.name}/eviction`, {}).then(
      () => "evicted",
      (error: unknown) => String(error),
    );
    expect(eviction).to.contain("Cannot evict pod as it would violate the pod's disruption budget");
    await patch(budget, { spec: { minAvailable: 1 } });
    await eventually(async () => expect((await get(budget)).status).to.include({ disruptionsAllowed: 1 }));
  });

  it("replace pods that fail as kwok makes them fail", async () => {
    await post(
      `${apps}/deployments`,
      deployment("bad", { replicas: 1 }, { "pod-container-running-failed.stage.kwok.x-k8s.io": "true" }),
    );
    await eventually(async () => {
      const phases = (await list(`${namespace}/pods`)).map((pod) => pod.status["phase"]);
      expect(phases).to.include("Failed").and.to.have.length.above(1);
    });
  });
});
