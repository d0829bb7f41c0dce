import type { V1PodTemplateSpec } from "@kubernetes/client-node";
import { expect } from "chai";
import type { PodTemplate } from "../../../operator/api/pod-template.ts";
import { KubeError } from "../../../operator/kube/errors.ts";
import { deployments, horizontalPodAutoscalers, objectPath, pods } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { needsApply } from "../../../operator/reconcile/difference.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { customizedTemplate } from "../../../operator/resources/pod-template.ts";
import type { Operator } from "../../../operator/operator.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, condition, oneVersion } from "./fixture.ts";

type Deployment = KubeObject & { spec: { replicas: number; template: V1PodTemplateSpec } };

const podTemplate = {
  metadata: { labels: { team: "credit" }, annotations: { "prometheus.io/scrape": "true" } },
  spec: {
    tolerations: [{ key: "nvidia.com/gpu", operator: "Exists" }],
    topologySpreadConstraints: [{ $patch: "replace" }],
    volumes: [
      { name: "cache", emptyDir: { sizeLimit: "2048Mi" } },
      { name: "features", configMap: { name: "features", optional: true } },
    ],
    initContainers: [
      { name: "logs", image: "vector:1", restartPolicy: "Always", resources: { limits: { cpu: "0.5" } } },
    ],
    containers: [
      {
        name: "runtime",
        env: [{ name: "THREADS", value: "4" }],
        volumeMounts: [
          { name: "features", mountPath: "/etc/features", readOnly: true },
          { name: "features", mountPath: "/etc/again", readOnly: false },
        ],
      },
      {
        name: "proxy",
        image: "proxy:1",
        ports: [{ containerPort: 9901 }],
        resources: { requests: { memory: "0.5Gi" } },
      },
    ],
  },
} satisfies PodTemplate;

describe("the pods of a ModelDeployment", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: Operator;
  let fixture: Fixture;

  before(async () => {
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
    const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };
    const body = { metadata: { labels: restricted } };
    await cluster.client.request("PATCH", `/api/v1/namespaces/${cluster.namespace}`, {
      contentType: "application/merge-patch+json",
      body,
    });
    operator = await cluster.startOperator();
  });
  after(async () => cluster?.close());

  it("are what the user laid over them, in a namespace that admits restricted pods only", async () => {
    await fixture.apply("laid-over", { ...oneVersion, serving: { podTemplate } });
    const { template } = await deploymentOf("laid-over");
    expect(template.metadata?.labels).to.include({ team: "credit" });
    expect(template.spec?.containers.map(({ name }) => name)).to.deep.equal(["runtime", "proxy"]);
    expect(template.spec?.containers[0]?.env).to.deep.include({ name: "THREADS", value: "4" });
    expect(template.spec?.tolerations).to.deep.equal([{ key: "nvidia.com/gpu", operator: "Exists" }]);
    expect(template.spec).to.not.have.property("topologySpreadConstraints");
  });

  it("are merged as the API server itself merges a strategic patch", async () => {
    const patch: PodTemplate = {
      ...podTemplate,
      spec: {
        ...podTemplate.spec,
        volumes: [
          { name: "tmp", $patch: "delete" },
          { name: "cache", emptyDir: { sizeLimit: "2Gi" } },
          { name: "features", configMap: { name: "features", optional: true } },
        ],
        securityContext: { $patch: "replace", runAsUser: 1000 },
        initContainers: [{ name: "logs", image: "vector:1", securityContext: { privileged: false } }],
        containers: [
          {
            name: "runtime",
            env: [
              { name: "MODEL_NAME", value: "other" },
              { name: "PORT", $patch: "delete" },
              { name: "THREADS", value: "4" },
            ],
            volumeMounts: [{ mountPath: "/tmp", $patch: "delete" }],
            resources: { limits: { memory: "1536Mi" } },
          },
          { name: "proxy", image: "proxy:1", securityContext: { privileged: false } },
        ],
      },
    };
    await fixture.apply("oracle", oneVersion);
    const name = fixture.child(await fixture.ready("oracle"), "v1");
    const built = await fixture.get<Deployment>(deployments, name);
    const path = objectPath(deployments, { name, namespace: cluster.namespace });
    const theirs = await cluster.client.request<Deployment>("PATCH", path, {
      contentType: "application/strategic-merge-patch+json",
      query: { dryRun: "All" },
      body: { spec: { template: patch } },
    });
    const template = customizedTemplate(built.spec.template, [patch]);
    expect(namesIn(template)).to.deep.equal(namesIn(theirs.spec.template));
    const ours = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name }, spec: { template } };
    expect(needsApply(ours, theirs), JSON.stringify({ ours: template, theirs: theirs.spec.template })).to.equal(false);
  });

  it("are not written again once they are as they should be", async () => {
    await fixture.apply("settled", { ...oneVersion, serving: { podTemplate } });
    await deploymentOf("settled");
    const before = await counts();
    await fixture.patch(modelDeployments, "settled", { metadata: { annotations: { look: "again" } } });
    await eventually(async () => expect((await counts()).reconciles).to.be.greaterThan(before.reconciles));
    expect((await counts()).writes).to.equal(before.writes);
  });

  it("get a template of the version's own on top of the one for all", async () => {
    const own = { spec: { containers: [{ name: "proxy", $patch: "delete" }], priorityClassName: "" } };
    const versions = [
      { name: "v1", weight: 50, source: oneVersion.source },
      { name: "v2", weight: 50, source: oneVersion.source, serving: { podTemplate: own } },
    ];
    await fixture.apply("layered", { versions, serving: { podTemplate } });
    const object = await fixture.until("layered", ({ status }) => status?.revisions?.length === 2);
    const names = async (version: string) => {
      const { spec } = await fixture.get<Deployment>(deployments, fixture.child(object, version));
      return spec.template.spec?.containers.map(({ name }) => name);
    };
    expect(await names("v1")).to.deep.equal(["runtime", "proxy"]);
    expect(await names("v2")).to.deep.equal(["runtime"]);
  });

  it("stay as they are when a template is wrong in a way that only the operator knows, and the object says where", async () => {
    await fixture.apply("misfit", oneVersion);
    const before = await deploymentOf("misfit");
    const wrong = { spec: { affinity: { nodeAffinty: {} }, containers: [{ name: "runtime", image: "mine:1" }] } };
    await fixture.apply("misfit", { ...oneVersion, serving: { podTemplate: wrong } });
    const object = await fixture.until("misfit", (each) => condition(each, "Stalled")?.reason === "InvalidSpec");
    expect(condition(object, "Ready")?.message).to.include("spec.serving.podTemplate.spec.affinity");
    expect(condition(object, "Available")).to.include({ status: "True" });

    const image = { spec: { containers: [{ name: "runtime", image: "mine:1" }] } };
    await fixture.apply("misfit", { ...oneVersion, serving: { podTemplate: image } });
    const again = await fixture.until("misfit", (each) => condition(each, "Stalled")?.reason === "InvalidSpec");
    expect(condition(again, "Ready")?.message).to.equal(
      "spec.serving.podTemplate.spec.containers[0].image: set the version's image instead",
    );
    expect(
      (await fixture.list<Deployment>(deployments, selectorOf("misfit"))).map(({ spec }) => spec.template),
    ).to.deep.equal([before.template]);
  });

  it("run an image of the user's own for one version, and the runtime with a model for another", async () => {
    const versions = [
      { name: "v1", weight: 90, source: oneVersion.source },
      { name: "mine", weight: 10, image: "registry.example/loan-api:1.4" },
    ];
    await fixture.apply("mixed", { versions });
    const object = await fixture.until("mixed", ({ status }) => status?.revisions?.length === 2);
    const own = await fixture.get<Deployment>(deployments, fixture.child(object, "mine"));
    const [container] = own.spec.template.spec?.containers ?? [];
    expect(container?.image).to.equal("registry.example/loan-api:1.4");
    expect(container?.env?.map(({ name }) => name)).to.not.include("MODEL_URI");
    const revision = object.status?.revisions?.find(({ version }) => version === "mine");
    expect(revision).to.include({ image: "registry.example/loan-api:1.4" }).and.not.have.property("uri");
  });

  it("are scaled by the scale subresource, of which the selector means the pods that serve", async () => {
    await fixture.apply("scaling", oneVersion);
    const ready = await fixture.ready("scaling");
    const path = objectPath(modelDeployments, { name: "scaling", namespace: cluster.namespace }, "scale");
    await cluster.client.request("PATCH", path, {
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 3 } },
    });
    const object = await fixture.until("scaling", ({ status }) => status?.readyReplicas === 3);
    expect(fixture.child(object, "v1")).to.equal(fixture.child(ready, "v1"));
    const scale = await cluster.client.request<{ status: { replicas: number; selector: string } }>("GET", path);
    expect(scale.status.replicas).to.equal(3);
    expect(await fixture.list(pods, scale.status.selector)).to.have.length(3);
  });

  it("are not scaled by the scale subresource where an HPA does it, and the answer says so", async () => {
    await fixture.apply("unscalable", { ...oneVersion, serving: { autoscaling: { maxReplicas: 3 } } });
    const path = objectPath(modelDeployments, { name: "unscalable", namespace: cluster.namespace }, "scale");
    const scaling = cluster.client.request("PATCH", path, {
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 3 } },
    });
    const error: unknown = await scaling.catch((refusal: unknown) => refusal);
    expect(error).to.be.instanceOf(KubeError).that.includes({ status: 422 });
    expect((error as KubeError).message).to.include("set replicas or autoscaling, not both");
  });

  it("number what their HPA had given them until a fixed number takes over, and never fewer", async () => {
    await fixture.apply("fixed", { ...oneVersion, serving: { autoscaling: { minReplicas: 2, maxReplicas: 9 } } });
    const name = fixture.child(await fixture.ready("fixed"), "v1");
    await fixture.patch(deployments, name, { spec: { replicas: 7 } }); // what an HPA does by the scale subresource
    await fixture.until("fixed", ({ status }) => status?.readyReplicas === 7);
    const seen = new Set<number>();
    await fixture.apply("fixed", { ...oneVersion, serving: { replicas: 5 } });
    await eventually(async () => {
      const { spec } = await fixture.get<Deployment>(deployments, name);
      seen.add(spec.replicas);
      expect(spec.replicas).to.equal(5);
      expect(await fixture.find(horizontalPodAutoscalers, name)).to.equal(undefined);
    });
    await fixture.apply("fixed", { ...oneVersion, serving: { replicas: 6 } });
    await fixture.apply("fixed", { ...oneVersion, serving: { autoscaling: { minReplicas: 2, maxReplicas: 9 } } });
    await eventually(async () => {
      seen.add((await fixture.get<Deployment>(deployments, name)).spec.replicas);
      expect(await fixture.find(horizontalPodAutoscalers, name)).to.not.equal(undefined);
    });
    seen.add((await fixture.get<Deployment>(deployments, name)).spec.replicas);
    expect([...seen].filter((replicas) => replicas < 5)).to.deep.equal([]);
  });

  it("start with the least that their HPA allows when there is a rollout, with room for their share", async () => {
    const serving = { autoscaling: { minReplicas: 2, maxReplicas: 9 } };
    await fixture.apply("room", { ...oneVersion, serving });
    const before = fixture.child(await fixture.ready("room"), "v1");
    await fixture.patch(deployments, before, { spec: { replicas: 6 } });
    await fixture.until("room", ({ status }) => status?.readyReplicas === 6);
    await fixture.apply("room", { source: { uri: "configmap://loan-v9" }, serving });
    const seen: number[] = [];
    const object = await eventually(async () => {
      for (const { spec } of await fixture.list<Deployment>(deployments, selectorOf("room"))) seen.push(spec.replicas);
      return fixture.ready("room", 1_000);
    }, 30_000);
    expect(Math.min(...seen)).to.equal(6);
    expect(object.status?.split).to.equal("v1:100");
  });

  async function deploymentOf(name: string): Promise<Deployment["spec"]> {
    const object = await fixture.ready(name);
    return (await fixture.get<Deployment>(deployments, fixture.child(object, "v1"))).spec;
  }

  /** Writes of the operator so far, but for new Events, which are POSTs; and its reconciles. */
  async function counts(): Promise<{ writes: number; reconciles: number }> {
    const text = await (await fetch(`http://127.0.0.1:${operator.metricsPort}/metrics`)).text();
    const sum = (pattern: RegExp): number =>
      text
        .split("\n")
        .filter((line) => pattern.test(line))
        .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
    return {
      writes: sum(/^rest_client_requests_total\{.*method="(PATCH|PUT|DELETE)"/),
      reconciles: sum(/^controller_runtime_reconcile_total\{/),
    };
  }
});

function selectorOf(name: string): string {
  return `serving.slipway.dev/model-deployment=${name},app.kubernetes.io/component=revision`;
}

/** Everything that a list is merged by, sorted: what came, what stayed and what went. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn).toSorted();
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value)
    .flatMap(([field, child]: [string, unknown]) =>
      ["name", "mountPath", "topologyKey"].includes(field) && typeof child === "string"
        ? [`${field}=${child}`]
        : namesIn(child),
    )
    .toSorted();
}
