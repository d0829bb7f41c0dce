import { expect } from "chai";
import {
  configMaps,
  deployments,
  horizontalPodAutoscalers,
  podDisruptionBudgets,
  services,
} from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, condition, oneVersion, twoVersions } from "./fixture.ts";

interface Child extends KubeObject {
  spec: Record<string, unknown>;
  data?: Record<string, string>;
  status?: { readyReplicas?: number };
}

describe("the children of a ModelDeployment", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let fixture: Fixture;

  before(async () => {
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
    await cluster.startOperator();
  });
  after(async () => cluster?.close());

  it("come out as asked for: three replicas, requests, limits, probes and a load balancer", async () => {
    await fixture.apply("asked", {
      ...oneVersion,
      serving: {
        replicas: 3,
        resources: { requests: { cpu: 1, memory: "2Gi" }, limits: { cpu: "2", memory: "4Gi" } },
        probes: { initialDelaySeconds: 30 },
      },
      traffic: { service: { type: "LoadBalancer", port: 80 } },
    });
    const object = await fixture.ready("asked");
    const deployment = await fixture.get<Child>(deployments, fixture.child(object, "v1"));
    const container = containerOf(deployment);
    expect(deployment.spec).to.include({ replicas: 3 });
    expect(deployment.status).to.include({ readyReplicas: 3 });
    expect(container["resources"]).to.deep.equal({
      requests: { cpu: "1", memory: "2Gi" },
      limits: { cpu: "2", memory: "4Gi" },
    });
    for (const probe of ["readinessProbe", "livenessProbe"])
      expect(container[probe]).to.deep.include({
        initialDelaySeconds: 30,
        httpGet: { path: "/health", port: "http", scheme: "HTTP" },
      });
    const front = await fixture.get<Child>(services, "asked");
    expect(front.spec).to.include({ type: "LoadBalancer" });
    expect((front.spec["ports"] as object[])[0]).to.deep.include({ port: 80, targetPort: "http" });
    expect(container["ports"]).to.deep.equal([
      { name: "http", containerPort: 8000, protocol: "TCP" },
      { name: "grpc", containerPort: 9000, protocol: "TCP" },
    ]);
    expect(object.status).to.include({ phase: "Serving", split: "v1:100", readyReplicas: 3 });
  });

  it("are scaled by an HPA of 2 to 10 pods at 70 % CPU, and start with 2 pods that the operator does not own", async () => {
    const autoscaling = { minReplicas: 2, maxReplicas: 10, targetCPUUtilizationPercentage: 70 };
    await fixture.apply("scaled", { ...oneVersion, serving: { autoscaling } });
    const object = await fixture.ready("scaled");
    const name = fixture.child(object, "v1");
    const hpa = await fixture.get<Child>(horizontalPodAutoscalers, name);
    expect(hpa.spec).to.deep.include({
      minReplicas: 2,
      maxReplicas: 10,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
      ],
    });
    expect((await fixture.get<Child>(deployments, name)).spec).to.include({ replicas: 2 });

    await fixture.patch(deployments, name, { spec: { replicas: 5 } }); // what an HPA does by the scale subresource
    await fixture.apply("scaled", { ...oneVersion, serving: { autoscaling: { ...autoscaling, maxReplicas: 12 } } });
    await eventually(async () => {
      expect((await fixture.get<Child>(horizontalPodAutoscalers, name)).spec).to.include({ maxReplicas: 12 });
    });
    expect((await fixture.get<Child>(deployments, name)).spec).to.include({ replicas: 5 });
  });

  it("follow the behavior of an HPA as it is written, changed and taken away", async () => {
    const autoscaling = { minReplicas: 1, maxReplicas: 4 };
    const scaleDown = {
      stabilizationWindowSeconds: 600,
      selectPolicy: "Min",
      policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
    };
    const scaleUp = { stabilizationWindowSeconds: 0, policies: [{ type: "Percent", value: 50, periodSeconds: 30 }] };
    const written = async (behavior: object): Promise<void> => {
      await fixture.apply("behaving", { ...oneVersion, serving: { autoscaling: { ...autoscaling, ...behavior } } });
    };
    await written({ behavior: { scaleDown } });
    const name = fixture.child(await fixture.ready("behaving"), "v1");
    const behaviorNow = async () => (await fixture.get<Child>(horizontalPodAutoscalers, name)).spec["behavior"];
    expect(await behaviorNow()).to.deep.include({ scaleDown });
    await written({ behavior: { scaleDown: { ...scaleDown, stabilizationWindowSeconds: 900 }, scaleUp } });
    await eventually(async () => {
      const now = (await behaviorNow()) as { scaleDown: object; scaleUp: object };
      expect(now.scaleDown).to.deep.equal({ ...scaleDown, stabilizationWindowSeconds: 900 });
      expect(now.scaleUp).to.deep.include(scaleUp);
    });
    await written({});
    await eventually(async () => expect(await behaviorNow()).to.equal(undefined));
  });

  it("keep their pods when autoscaling takes over from a fixed number", async () => {
    await fixture.apply("switching", { ...oneVersion, serving: { replicas: 4 } });
    const name = fixture.child(await fixture.ready("switching"), "v1");
    const seen: unknown[] = [];
    await fixture.apply("switching", { ...oneVersion, serving: { autoscaling: { minReplicas: 2, maxReplicas: 10 } } });
    await eventually(async () => {
      seen.push((await fixture.get<Child>(deployments, name)).spec["replicas"]);
      expect(await fixture.find(horizontalPodAutoscalers, name)).to.not.equal(undefined);
      expect(owners(await fixture.get(deployments, name))).to.not.include("slipway-operator");
    });
    seen.push((await fixture.get<Child>(deployments, name)).spec["replicas"]);
    expect(new Set(seen)).to.deep.equal(new Set([4]));
  });

  it("lose their HPA when a fixed number takes over, and get that number", async () => {
    await fixture.apply("back", { ...oneVersion, serving: { autoscaling: { minReplicas: 2, maxReplicas: 3 } } });
    const name = fixture.child(await fixture.ready("back"), "v1");
    await fixture.apply("back", { ...oneVersion, serving: { replicas: 1 } });
    await eventually(async () => {
      expect(await fixture.find(horizontalPodAutoscalers, name)).to.equal(undefined);
      expect((await fixture.get<Child>(deployments, name)).spec).to.include({ replicas: 1 });
    });
  });

  it("are repaired when someone edits or deletes them", async () => {
    await fixture.apply("drifting", { ...oneVersion, serving: { autoscaling: { minReplicas: 1, maxReplicas: 4 } } });
    const name = fixture.child(await fixture.ready("drifting"), "v1");
    await fixture.patch(services, "drifting", { spec: { selector: { "serving.slipway.dev/revision": "nowhere" } } });
    await fixture.patch(horizontalPodAutoscalers, name, { spec: { maxReplicas: 99 } });
    await fixture.patch(podDisruptionBudgets, name, { spec: { maxUnavailable: 9 } });
    await fixture.patch(deployments, name, { spec: { template: { spec: { automountServiceAccountToken: true } } } });
    await fixture.delete(services, name);
    await eventually(async () => {
      const front = await fixture.get<Child>(services, "drifting");
      expect(front.spec["selector"]).to.deep.include({
        "serving.slipway.dev/revision": name.slice("drifting-".length),
      });
      expect((await fixture.get<Child>(horizontalPodAutoscalers, name)).spec).to.include({ maxReplicas: 4 });
      expect((await fixture.get<Child>(podDisruptionBudgets, name)).spec).to.include({ maxUnavailable: 1 });
      const template = (await fixture.get<Child>(deployments, name)).spec["template"] as { spec: object };
      expect(template.spec).to.include({ automountServiceAccountToken: false });
      expect(await fixture.find(services, name)).to.not.equal(undefined);
    });
    await fixture.delete(deployments, name);
    await eventually(async () => expect(await fixture.find(deployments, name)).to.not.equal(undefined));
    await fixture.ready("drifting");
  });

  it("keep what others added to them", async () => {
    await fixture.apply("shared", oneVersion);
    await fixture.ready("shared");
    await fixture.patch(services, "shared", { metadata: { annotations: { "example.com/owner": "team-a" } } });
    await fixture.apply("shared", { ...oneVersion, traffic: { service: { port: 8080 } } });
    const front = await eventually(async () => {
      const service = await fixture.get<Child>(services, "shared");
      expect((service.spec["ports"] as object[])[0]).to.include({ port: 8080 });
      return service;
    });
    expect(front.metadata.annotations).to.include({ "example.com/owner": "team-a" });
  });

  for (const [kind, type, foreign] of [
    ["Service", services, { spec: { selector: { app: "theirs" }, ports: [{ port: 1 }] } }],
    ["ConfigMap", configMaps, { data: { "theirs.txt": "hands off" } }],
  ] as const)
    it(`are never taken from somebody else: a ${kind} of the same name is NotOwned, and stays as it is`, async () => {
      const name = `taken-${kind.toLowerCase()}`;
      const childName = kind === "ConfigMap" ? `${name}-traffic` : name;
      const theirs = await fixture.create(type, fixture.object("v1", kind, childName, foreign));
      await fixture.apply(name, twoVersions(50, 50));
      const object = await fixture.until(name, (each) => condition(each, "Stalled")?.reason === "NotOwned");
      expect(condition(object, "Ready")).to.include({ status: "False", reason: "NotOwned" });
      expect(condition(object, "Ready")?.message).to.include(`${kind}/${childName}`);
      const after = await fixture.get(type, childName);
      expect(after.metadata.resourceVersion).to.equal(theirs.metadata.resourceVersion);

      await fixture.delete(type, childName);
      await fixture.patch(modelDeployments, name, { metadata: { annotations: { look: "again" } } });
      await fixture.until(name, (each) => condition(each, "Stalled") === undefined);
      expect((await fixture.get(type, childName)).metadata.ownerReferences?.[0]).to.include({ name });
    });

  it("are adopted when they bear our label and have lost their owner", async () => {
    await fixture.apply("adopting", oneVersion);
    const name = fixture.child(await fixture.ready("adopting"), "v1");
    await fixture.patch(podDisruptionBudgets, name, { metadata: { ownerReferences: null } });
    await eventually(async () => {
      const { ownerReferences } = (await fixture.get(podDisruptionBudgets, name)).metadata;
      expect(ownerReferences?.[0]).to.include({ name: "adopting", controller: true });
    });
  });

  it("go with the object", async () => {
    await fixture.apply("leaving", twoVersions(50, 50, { serving: { autoscaling: { maxReplicas: 2 } } }));
    const selector = "serving.slipway.dev/model-deployment=leaving";
    const types = [services, deployments, configMaps, horizontalPodAutoscalers, podDisruptionBudgets];
    await eventually(async () => {
      for (const type of types) expect(await fixture.list(type, selector), type.kind).to.not.be.empty;
    });
    await fixture.delete(modelDeployments, "leaving");
    await eventually(async () => {
      for (const type of types) expect(await fixture.list(type, selector), type.kind).to.be.empty;
    }, 90_000); // a real garbage collector learns of new kinds of owners every 30 s only
  });
});

function containerOf(deployment: Child): Record<string, unknown> {
  const { spec } = deployment.spec["template"] as { spec: { containers: Record<string, unknown>[] } };
  return spec.containers[0] ?? {};
}

/** Field managers that own the number of replicas. */
function owners({ metadata }: KubeObject): string[] {
  return (metadata.managedFields ?? [])
    .filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes('"f:replicas"'))
    .filter(({ subresource }) => subresource === undefined)
    .map(({ manager }) => manager);
}
