import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { parse } from "yaml";
import { serverSideApply } from "../../operator/kube/apply.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { condition, oneVersion } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { invalidObjects } from "../support/operator/invalid-objects.ts";
import { customResourceDefinitions } from "../support/resource-types.ts";
import { isRealCluster } from "./support/forms.ts";
import { isObjectWrite } from "./support/fault-proxy.ts";
import { settled } from "./support/end-state.ts";
import { FaultCluster } from "./support/site.ts";
import type { Site } from "./support/site.ts";

/** Long enough for a loop to show itself. */
const LOOP_SHOWS_WITHIN_MS = 3_000;

describe("an object that cannot be served", function () {
  this.timeout(240_000);
  let cluster: FaultCluster;

  before(async () => {
    cluster = await FaultCluster.start();
  });
  after(async () => cluster?.[Symbol.asyncDispose]());

  it("because it breaks a rule that the API server did not know says which field, costs one write, and blocks nobody", async () => {
    await using site = await cluster.site();
    await using _rules = await withoutRules();
    const bad = invalidObjects.map((object, index) => ({ ...object, name: object.name ?? `bad-${index}` }));
    for (const { name, spec } of bad) await site.fixture.apply(name, spec);
    const operator = await site.startOperator().started();
    await site.fixture.apply("good", oneVersion);
    await settled(site, "good");
    for (const { title, name, field } of bad) {
      const object = await site.fixture.until(name, (each) => condition(each, "Stalled") !== undefined);
      expect(condition(object, "Stalled"), title).to.include({ reason: "InvalidSpec" });
      expect(condition(object, "Ready"), title).to.include({ status: "False", reason: "InvalidSpec" });
      expect(condition(object, "Ready")?.message, title).to.include(field);
      const writes = site.proxy.writes.filter(({ path }) => path.includes(`/modeldeployments/${name}/`));
      expect(writes.length, `writes of ${title}`).to.equal(1);
    }
    expect(operator.hasEnded).to.equal(false);
  });

  it("because every write of it fails is retried ever more rarely, and stops nobody in the queue", async () => {
    await using site = await cluster.site();
    const { fixture, proxy } = site;
    let isPoisoned = true;
    proxy.faultFor = (request) =>
      isPoisoned && isObjectWrite(request) && request.path.includes("poison")
        ? { kind: "answer", status: 500, reason: "InternalError" }
        : undefined;
    site.startOperator();
    await fixture.apply("poison", oneVersion);
    await eventually(() => expect(attempts(site, "poison")).to.be.at.least(8)); // 5 ms doubling: 1.3 s at the least
    for (const name of ["one", "two", "three"]) {
      await fixture.apply(name, oneVersion);
      await settled(site, name);
    }
    expect(attempts(site, "poison")).to.be.below(25);
    isPoisoned = false;
    await settled(site, "poison", 120_000);
  });

  it("because a quota leaves no room for its pods, or for its children, says QuotaExceeded, and goes on once there is room", async function () {
    if (!isRealCluster) this.skip(); // the embedded API server admits everything
    await using site = await cluster.site();
    site.startOperator();
    for (const [name, hard] of [
      ["pods", { pods: "0" }],
      ["deployments", { "count/deployments.apps": "0" }],
      ["services", { services: "0" }],
    ] as const) {
      await quota(site, hard);
      const writes = site.proxy.writes.length;
      await site.fixture.apply(name, oneVersion);
      const object = await site.fixture.until(name, (each) => condition(each, "Ready")?.reason === "QuotaExceeded");
      expect(condition(object, "Ready"), name).to.include({ status: "Unknown" });
      expect(condition(object, "Ready")?.message, name).to.match(/exceeded quota/);
      await sleep(LOOP_SHOWS_WITHIN_MS);
      expect(site.proxy.writes.length - writes, `writes for ${name}`).to.be.below(20);
      await noQuota(site);
      await settled(site, name, 90_000); // a ReplicaSet that met a quota tries again ever more rarely
    }
  });

  it("because an admission policy refuses a child says which one and why, and is not retried in a hurry", async function () {
    if (!isRealCluster) this.skip(); // the embedded API server knows no policies
    await using site = await cluster.site();
    await using _policy = await denyDisruptionBudgets(site);
    site.startOperator();
    await site.fixture.apply("refused", oneVersion);
    const object = await site.fixture.until("refused", (each) => condition(each, "Stalled")?.reason === "Refused");
    expect(condition(object, "Ready")?.message).to.match(/PodDisruptionBudget\/refused-v1-\w{8}: .*no budgets here/);
    await site.fixture.until("refused", (each) => condition(each, "Available")?.status === "True");
    const attempted = (): number =>
      site.proxy.writes.filter(({ path }) => path.includes("/poddisruptionbudgets/")).length;
    await site.idle(); // each news of its pods brings another attempt
    const before = attempted();
    await sleep(LOOP_SHOWS_WITHIN_MS);
    expect(attempted() - before).to.be.below(4);
    await site.fixture.apply("fine", oneVersion);
    await site.fixture.until("fine", (each) => condition(each, "Available")?.status === "True");
  });

  /** The CRD without a rule on spec, as if objects had been stored before the rules were made; as it was at the end. */
  async function withoutRules(): Promise<AsyncDisposable> {
    const { client } = cluster.cluster;
    const crd = parse(await readFile("crds/modeldeployments.serving.slipway.dev.yaml", "utf8")) as KubeObject & {
      spec: {
        versions: { schema: { openAPIV3Schema: Record<string, unknown> & { properties: Record<string, object> } } }[];
      };
    };
    const loose = structuredClone(crd);
    for (const { schema } of loose.spec.versions) {
      delete schema.openAPIV3Schema["x-kubernetes-validations"];
      schema.openAPIV3Schema.properties["metadata"] = { type: "object" };
      schema.openAPIV3Schema.properties["spec"] = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    }
    const apply = async (object: KubeObject): Promise<void> => {
      await serverSideApply(client, customResourceDefinitions, object, { fieldManager: "slipway-test", force: true });
    };
    await apply(loose);
    await eventually(async () => {
      const unruly = {
        apiVersion: "serving.slipway.dev/v1alpha1",
        kind: "ModelDeployment",
        metadata: { name: "1", namespace: "default" },
        spec: { x: 1 },
      };
      await serverSideApply(client, modelDeployments, unruly, { fieldManager: "test", force: true, dryRun: true });
    });
    return { [Symbol.asyncDispose]: () => apply(crd) };
  }

  async function quota({ fixture, namespace }: Site, hard: Record<string, string>): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
    const object = fixture.object("v1", "ResourceQuota", "tight", { spec: { hard } });
    const { client } = fixture.cluster;
    await client.request("POST", path, { body: object });
    await eventually(async () => {
      const { status } = await client.request<{ status?: { used?: object } }>("GET", `${path}/tight`);
      expect(status?.used, "the quota's controller has counted").to.not.equal(undefined);
    });
  }

  async function noQuota({ fixture, namespace }: Site): Promise<void> {
    await fixture.cluster.client.request("DELETE", `/api/v1/namespaces/${namespace}/resourcequotas/tight`);
  }

  async function denyDisruptionBudgets({ fixture, namespace }: Site): Promise<AsyncDisposable> {
    const { client } = fixture.cluster;
    const root = "/apis/admissionregistration.k8s.io/v1";
    const apiVersion = "admissionregistration.k8s.io/v1";
    const rule = {
      apiGroups: ["policy"],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["poddisruptionbudgets"],
    };
    const spec = {
      failurePolicy: "Fail",
      matchConstraints: { resourceRules: [rule] },
      validations: [{ expression: "false", message: "no budgets here" }],
    };
    const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } };
    const bodies = [
      { apiVersion, kind: "ValidatingAdmissionPolicy", metadata: { name: namespace }, spec },
      {
        apiVersion,
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name: namespace },
        spec: { policyName: namespace, validationActions: ["Deny"], matchResources },
      },
    ];
    const plurals = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    for (const [index, body] of bodies.entries()) await client.request("POST", `${root}/${plurals[index]}`, { body });
    const budget = fixture.object("policy/v1", "PodDisruptionBudget", "probe", { spec: { maxUnavailable: 1 } });
    await eventually(async () => {
      const error = await client
        .request("POST", `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
          body: budget,
          query: { dryRun: "All" },
        })
        .catch((refusal: unknown) => refusal);
      expect(error).to.be.instanceOf(Error);
    }, 60_000);
    return {
      [Symbol.asyncDispose]: async () => {
        for (const plural of plurals) await client.request("DELETE", `${root}/${plural}/${namespace}`);
      },
    };
  }

  function attempts({ proxy }: Site, name: string): number {
    return proxy.writes.filter(({ path }) => path.endsWith(`/services/${name}`)).length;
  }
});
