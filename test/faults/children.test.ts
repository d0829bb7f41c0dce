import { expect } from "chai";
import { ANNOTATIONS, LABELS } from "../../operator/api/names.ts";
import { deleteObject } from "../../operator/kube/apply.ts";
import {
  configMaps,
  deployments,
  horizontalPodAutoscalers,
  podDisruptionBudgets,
  services,
} from "../../operator/kube/objects.ts";
import type { KubeObject, ResourceType } from "../../operator/kube/objects.ts";
import { childTypes, modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { condition } from "../integration/objects/fixture.ts";
import type { Fixture, ModelDeployment } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { endState, expectSameState, settled } from "./support/end-state.ts";
import { isChildWrite } from "./support/fault-proxy.ts";
import type { ProxiedRequest } from "./support/fault-proxy.ts";
import { FaultCluster } from "./support/site.ts";
import type { Site } from "./support/site.ts";

const NAME = "loan";
const spec = (v2: string) => ({
  versions: [
    { name: "v1", weight: 80, source: { uri: "configmap://loan-v1" }, serving: { replicas: 2 } },
    { name: "v2", weight: 20, source: { uri: v2 }, serving: { autoscaling: { minReplicas: 2, maxReplicas: 4 } } },
  ],
  traffic: { sticky: { header: "x-user-id" } },
});
const given = spec("configmap://loan-v2");
const change = spec("configmap://loan-v3");

/** A real garbage collector learns of new kinds of owners every 30 s only. */
const COLLECTED_WITHIN_MS = 90_000;

/** A watch that is late by this tells of nothing before the others have told everything. */
const LATE_MS = 3_000;

/** What people and programs do to children; of each kind. */
const DRIFTS: readonly (readonly [type: ResourceType, patch: object])[] = [
  [services, { spec: { selector: { [LABELS.revision]: "nowhere" } } }],
  [services, { metadata: { labels: { [LABELS.component]: "theirs" } } }],
  [deployments, { spec: { template: { spec: { automountServiceAccountToken: true } } } }],
  [deployments, { metadata: { annotations: { [ANNOTATIONS.desired]: "0", [ANNOTATIONS.template]: null } } }],
  [horizontalPodAutoscalers, { spec: { minReplicas: 1, maxReplicas: 99 } }],
  [podDisruptionBudgets, { spec: { maxUnavailable: 9 } }],
  [configMaps, { data: { "routes.yaml": "none" } }],
];

describe("children of a live object", function () {
  this.timeout(240_000);
  let cluster: FaultCluster;
  let site: Site;
  let fixture: Fixture;
  let live: unknown;

  before(async () => {
    cluster = await FaultCluster.start();
    site = await cluster.site();
    fixture = site.fixture;
    site.startOperator();
    await fixture.apply(NAME, given);
    live = withoutCounts(await endState(fixture, await settled(site, NAME)));
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  for (const [type, patch] of DRIFTS)
    it(`are as they were after someone made ${JSON.stringify(patch)} of every ${type.kind}`, async () => {
      for (const { metadata } of await childrenOf(type)) await fixture.patch(type, metadata.name, patch);
      await eventually(async () => expectSameState(await state(), live), 60_000);
    });

  for (const type of childTypes)
    it(`are as they were after someone deleted every ${type.kind}`, async () => {
      const before = await childrenOf(type);
      expect(before).to.not.be.empty;
      for (const { metadata } of before) await fixture.delete(type, metadata.name);
      await eventually(async () => {
        const uids = new Set((await childrenOf(type)).map(({ metadata }) => metadata.uid));
        expect(before.some(({ metadata }) => uids.has(metadata.uid ?? ""))).to.equal(false);
        expectSameState(await state(), live);
      }, 60_000);
    });

  it("get their number of pods back after someone scaled the one whose number is fixed", async () => {
    const [fixed] = (await childrenOf(deployments)).filter(
      ({ metadata }) => metadata.labels?.[LABELS.version] === "v1",
    );
    await fixture.patch(deployments, fixed?.metadata.name ?? "", { spec: { replicas: 9 } });
    await eventually(async () => expectSameState(await state(), live), 60_000);
  });

  it("are taken back when they lost their owner, all of them", async () => {
    for (const type of childTypes)
      for (const { metadata } of await childrenOf(type))
        await fixture.patch(type, metadata.name, { metadata: { ownerReferences: null } });
    await eventually(async () => expectSameState(await state(), live), 60_000);
  });

  it("are as they were after the status was erased, and after the record's annotation was", async () => {
    await fixture.patchStatus(modelDeployments, NAME, null);
    await eventually(async () => expectSameState(await state(), live), 60_000);
    await fixture.patch(services, NAME, { metadata: { annotations: { [ANNOTATIONS.record]: null } } });
    await eventually(async () => expectSameState(await state(), live), 60_000);
  });

  it("survive the loss of either copy of the record in the middle of a change", async () => {
    const { metadata } = await fixture.apply(NAME, change);
    await eventually(async () => expect((await object()).status?.observedGeneration).to.equal(metadata.generation));
    await fixture.patchStatus(modelDeployments, NAME, null);
    await fixture.patch(services, NAME, { metadata: { annotations: { [ANNOTATIONS.record]: null } } }).catch(() => {});
    await settledOrLost();
    await fixture.apply(NAME, given);
    const back = await endState(fixture, await settled(site, NAME));
    expectSameState(withoutCounts(back), live);
  });

  async function settledOrLost(): Promise<void> {
    await eventually(async () => {
      const current = await object();
      expect(current.status?.observedGeneration).to.equal(current.metadata.generation);
      expect(condition(current, "Ready")?.reason).to.be.oneOf(["Live", "StateLost"]);
    }, 60_000);
  }

  async function childrenOf(type: ResourceType): Promise<KubeObject[]> {
    return fixture.list(type, `${LABELS.modelDeployment}=${NAME}`);
  }

  async function object(): Promise<ModelDeployment> {
    return fixture.get<ModelDeployment>(modelDeployments, NAME);
  }

  async function state(): Promise<unknown> {
    return withoutCounts(await endState(fixture, await object()));
  }
});

describe("children of an object that goes", function () {
  this.timeout(240_000);
  let cluster: FaultCluster;

  before(async () => {
    cluster = await FaultCluster.start();
  });
  after(async () => cluster?.[Symbol.asyncDispose]());

  for (const propagationPolicy of ["Background", "Foreground"] as const) {
    it(`go with it (${propagationPolicy}), and the operator makes and changes none of them`, async () => {
      await using site = await liveSite(watchesOf(...childTypes));
      const writes = site.proxy.writes.length;
      await goneBy(site, propagationPolicy);
      expectSameState(childWrites(site, writes), [], "writes of children since");
    });

    it(`go with it (${propagationPolicy}), and none comes back, though the operator hears of it after they have gone`, async () => {
      await using site = await liveSite(watchesOf(modelDeployments));
      await goneBy(site, propagationPolicy);
    });
  }

  for (const [when, late] of [
    ["", childTypes],
    [", though the operator hears of it last", [modelDeployments]],
  ] as const)
    it(`stay when it is deleted as an orphan's parent${when}, are left alone, and are adopted by its successor`, async () => {
      await using site = await liveSite(watchesOf(...late));
      const before = await names(site);
      const writes = site.proxy.writes.length;
      await deleteObject(site.fixture.cluster.client, modelDeployments, keyIn(site), { propagationPolicy: "Orphan" });
      await eventually(
        async () => expect(await site.fixture.find(modelDeployments, NAME)).to.equal(undefined),
        COLLECTED_WITHIN_MS,
      );
      await site.idle();
      expectSameState(childWrites(site, writes), [], "writes of children since");
      expect(await names(site)).to.deep.equal(before);
      for (const child of await all(site)) expect(child.metadata.ownerReferences ?? []).to.deep.equal([]);
      await site.fixture.apply(NAME, given);
      const object = await settled(site, NAME);
      expect(await names(site)).to.deep.equal(before);
      for (const child of await all(site))
        expect(child.metadata.ownerReferences?.[0]?.uid).to.equal(object.metadata.uid);
    });

  it("are its successor's when it is made again under the same name in the middle of a change", async () => {
    await using site = await liveSite();
    const reference = withoutCounts(await endState(site.fixture, await settled(site, NAME)));
    const { metadata } = await site.fixture.apply(NAME, change);
    await eventually(async () => {
      const { status } = await site.fixture.get<ModelDeployment>(modelDeployments, NAME);
      expect(status?.observedGeneration).to.equal(metadata.generation);
    });
    await site.fixture.delete(modelDeployments, NAME);
    await eventually(async () => expect(await site.fixture.find(modelDeployments, NAME)).to.equal(undefined));
    const successor = await site.fixture.apply(NAME, given);
    await eventually(async () => {
      const children = await all(site);
      for (const child of children) expect(child.metadata.ownerReferences?.[0]?.uid).to.equal(successor.metadata.uid);
      expectSameState(withoutCounts(await endState(site.fixture, await settled(site, NAME, 1_000))), reference);
    }, COLLECTED_WITHIN_MS);
  });

  it("go with their namespace, and the operator lives on", async () => {
    await using site = await liveSite();
    await site.fixture.cluster.client.request("DELETE", `/api/v1/namespaces/${site.namespace}`);
    await eventually(async () => {
      expect(await site.fixture.find(modelDeployments, NAME)).to.equal(undefined);
      expect(await names(site)).to.deep.equal([]);
    }, COLLECTED_WITHIN_MS);
    expect(site.output).to.not.include('"level":"fatal"');
    await site.idle();
  });

  /** With an object for which nothing is left to do. Of what is late the operator hears so much later. */
  async function liveSite(isLate: (request: ProxiedRequest) => boolean = () => false): Promise<Site> {
    const site = await cluster.site();
    site.proxy.faultFor = (request) => (isLate(request) ? { kind: "lag", ms: LATE_MS } : undefined);
    try {
      site.startOperator();
      await site.fixture.apply(NAME, given);
      await settled(site, NAME);
      await site.idle();
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The object is deleted, its children are collected, and the operator has nothing to say to that. */
  async function goneBy(site: Site, propagationPolicy: "Background" | "Foreground"): Promise<void> {
    await deleteObject(site.fixture.cluster.client, modelDeployments, keyIn(site), { propagationPolicy });
    const isGone = async (): Promise<void> => {
      expect(await site.fixture.find(modelDeployments, NAME)).to.equal(undefined);
      expect(await names(site)).to.deep.equal([]);
    };
    await eventually(isGone, COLLECTED_WITHIN_MS);
    await site.idle();
    await eventually(isGone, COLLECTED_WITHIN_MS); // what was made meanwhile has no owner, and is collected
    await site.idle();
    await isGone();
  }

  function childWrites({ proxy }: Site, from: number): string[] {
    return proxy.writes
      .slice(from)
      .filter(isChildWrite)
      .map(({ method, path }) => `${method} ${path}`);
  }

  async function all({ fixture }: Site): Promise<KubeObject[]> {
    const lists = await Promise.all(childTypes.map((type) => fixture.list(type, `${LABELS.modelDeployment}=${NAME}`)));
    return lists.flat();
  }

  async function names(site: Site): Promise<string[]> {
    return (await all(site)).map(({ metadata }) => metadata.name).toSorted();
  }

  function keyIn({ namespace }: Site): { namespace: string; name: string } {
    return { namespace, name: NAME };
  }
});

/** The requests that tell of changes of these kinds. */
function watchesOf(...types: readonly ResourceType[]): (request: ProxiedRequest) => boolean {
  return ({ path, query }) => query.get("watch") === "true" && types.some(({ plural }) => path.endsWith(`/${plural}`));
}

/** How many changes it took to get here is not part of where one is. */
function withoutCounts(state: unknown): unknown {
  return JSON.parse(
    JSON.stringify(state, (field, value: unknown) =>
      ["sequence", "observedGeneration", "deployment.kubernetes.io/revision"].includes(field) ? undefined : value,
    ),
  );
}
