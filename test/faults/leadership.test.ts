import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { ANNOTATIONS, childNames } from "../../operator/api/names.ts";
import { maxRequestConnections } from "../../operator/kube/connection-pools.ts";
import { configMaps, leases, services } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { newestRecord } from "../../operator/plan/record.ts";
import { twoVersions } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { endState, expectSameState, settled } from "./support/end-state.ts";
import { FaultProxy, isObjectWrite } from "./support/fault-proxy.ts";
import type { ProxiedRequest } from "./support/fault-proxy.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { FaultCluster, kubeconfigText } from "./support/site.ts";
import type { Site } from "./support/site.ts";

const NAME = "loan";
const serving = { replicas: 2 };
const given = twoVersions(80, 20, { serving });
const change = twoVersions(60, 40, { serving });

/** As the elector has it: the holder stops writing so long after its last renewal. */
const RENEW_DEADLINE_MS = 10_000;

/** One of two operators, each behind a proxy of its own, by which its requests are told apart. */
interface Replica {
  readonly operator: OperatorProcess;
  readonly proxy: FaultProxy;
}

describe("of two operators", function () {
  this.timeout(180_000);
  let cluster: FaultCluster;

  before(async () => {
    cluster = await FaultCluster.start();
  });
  after(async () => cluster?.[Symbol.asyncDispose]());

  it("one works and the other waits; a leader that was frozen for longer than its lease writes nothing more and ends", async () => {
    await using site = await cluster.site();
    await using replicas = await startTwo(site);
    const [leader, other] = [replicas.first, replicas.second];
    await site.fixture.apply(NAME, given);
    await settled(site, NAME);
    expect(other.proxy.writes, "writes of the one that waits").to.deep.equal([]);

    leader.operator.freeze();
    await site.fixture.apply(NAME, change);
    const object = await settled(site, NAME);
    expect(object.status?.split).to.equal("v1:60 v2:40");
    const ended = await endState(site.fixture, object);
    const written = leader.proxy.writes.length;
    leader.operator.thaw();
    expect(await leader.operator.ended, "how the former leader ended").to.equal("1");
    expect(leader.proxy.writes.length, "writes of the former leader").to.equal(written);
    expectSameState(await endState(site.fixture, await settled(site, NAME)), ended);
    writesStartWithinTheLease(leader.proxy.requests);
    writesStartWithinTheLease(other.proxy.requests);
  });

  for (const [what, plural] of [
    ["the rollout record", "/services/"],
    ["the routes", "/configmaps/"],
  ] as const)
    it(`the former leader cannot undo the other's work by a write of ${what} that was on its way meanwhile`, async () => {
      await using site = await cluster.site();
      await using replicas = await startTwo(site);
      const [leader, other] = [replicas.first, replicas.second];
      await site.fixture.apply(NAME, given);
      await settled(site, NAME);

      const late: ProxiedRequest[] = [];
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      leader.proxy.faultFor = (request) => {
        if (!isObjectWrite(request) || !request.path.includes(plural)) return undefined;
        late.push(request);
        return { kind: "hold", until: released };
      };
      await site.fixture.apply(NAME, change);
      await eventually(() => expect(late).to.not.be.empty);
      leader.operator.freeze();
      await site.fixture.apply(NAME, twoVersions(50, 50, { serving }));
      await eventually(async () => expect((await settled(site, NAME)).status?.split).to.equal("v1:50 v2:50"), 60_000);
      expect(other.proxy.writes).to.not.be.empty;
      const before = await recordAndRoutes(site);
      release();
      await eventually(() => expect(late[0]?.status, "the answer to the late write").to.equal(409));
      expect(await recordAndRoutes(site)).to.deep.equal(before);
    });

  it("the second takes over within the lease when the first is killed, and at once when it is stopped", async () => {
    await using site = await cluster.site();
    await using replicas = await startTwo(site);
    await site.fixture.apply(NAME, given);
    await settled(site, NAME);
    replicas.first.operator.kill();
    await site.fixture.apply(NAME, change);
    expect((await settled(site, NAME)).status?.split).to.equal("v1:60 v2:40");
    const third = await start(site, "third");
    await using _stopped = third.proxy;
    await eventually(async () => expect(await third.operator.readiness()).to.equal(200));
    await replicas.second.operator[Symbol.asyncDispose]();
    expect(await holder(site), "who holds the lease that the second gave back").to.not.match(/^second/);
    await site.fixture.apply(NAME, given);
    await settled(site, NAME);
  });

  it("the leader keeps its lease while more writes wait for their answers than it has connections for", async () => {
    await using site = await cluster.site();
    const objects = 2 * maxRequestConnections;
    const { operator, proxy } = await start(site, "busy", [`--workers=${objects}`]);
    await using _stopped = proxy;
    await eventually(async () => expect(await holder(site)).to.be.a("string"));
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    proxy.faultFor = (request) => (isObjectWrite(request) ? { kind: "hold", until: released } : undefined);
    for (let index = 0; index < objects; index++) await site.fixture.apply(`${NAME}-${index}`, given);
    await eventually(() => expect(proxy.writes.length).to.be.at.least(maxRequestConnections));
    const renewals = (): number => proxy.requests.filter(isRenewal).length;
    const before = renewals();
    await eventually(() => expect(renewals()).to.be.at.least(before + 6), 40_000);
    expect(operator.hasEnded, "the process has ended").to.equal(false);
    release();
  });

  /** The first one leads. */
  async function startTwo(site: Site) {
    const first = await start(site, "first");
    await eventually(async () => expect(await holder(site)).to.be.a("string"));
    const second = await start(site, "second");
    await eventually(async () => expect(await second.operator.readiness()).to.equal(200));
    return {
      first,
      second,
      async [Symbol.asyncDispose]() {
        await Promise.all([first, second].map(({ operator }) => operator[Symbol.asyncDispose]()));
        await Promise.all([first, second].map(({ proxy }) => proxy[Symbol.asyncDispose]()));
      },
    };
  }

  async function start(site: Site, name: string, more: readonly string[] = []): Promise<Replica> {
    const proxy = await FaultProxy.start(cluster.cluster.kubeConfig);
    const kubeconfig = join(site.folder, name);
    await writeFile(kubeconfig, kubeconfigText(proxy.url));
    const flags = ["--leader-elect", `--leader-elect-namespace=${site.namespace}`, `--identity=${name}`, ...more];
    return { operator: await site.startOperator(flags, kubeconfig).started(), proxy };
  }

  async function holder({ fixture }: Site): Promise<string | undefined> {
    const [lease] = await fixture.list<KubeObject & { spec: { holderIdentity?: string } }>(leases);
    return lease?.spec.holderIdentity;
  }

  async function recordAndRoutes({ fixture }: Site): Promise<unknown> {
    const front = await fixture.get(services, NAME);
    const traffic = await fixture.get<KubeObject & { data: object }>(configMaps, childNames.traffic(NAME));
    return {
      record: newestRecord([JSON.parse(front.metadata.annotations?.[ANNOTATIONS.record] ?? "{}")]),
      data: traffic.data,
    };
  }
});

/** Each write of an object began no later than the deadline after the start of a renewal that succeeded before it. */
function writesStartWithinTheLease(requests: readonly ProxiedRequest[]): void {
  let renewed: number | undefined;
  for (const request of requests) {
    if (isRenewal(request)) renewed = request.at;
    if (!isObjectWrite(request)) continue;
    expect(renewed, `${request.method} ${request.path} came before the lease was held`).to.be.a("number");
    const late = request.at - (renewed ?? 0);
    expect(late, `${request.method} ${request.path}: ms since the last renewal`).to.be.below(RENEW_DEADLINE_MS);
  }
}

/** One that succeeded. */
function isRenewal({ method, path, status = 500 }: ProxiedRequest): boolean {
  return path.includes("/leases") && method !== "GET" && status < 300;
}
