import { expect } from "chai";
import { LABELS } from "../../operator/api/names.ts";
import { childTypes, modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { oneVersion, twoVersions } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { endState, expectSameState, settled } from "./support/end-state.ts";
import { isObjectWrite } from "./support/fault-proxy.ts";
import { Lanes } from "./support/lanes.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { FaultCluster } from "./support/site.ts";
import type { Site } from "./support/site.ts";

const NAME = "loan";
const sticky = { traffic: { sticky: { header: "x-user-id" } } };
const serving = { replicas: 2 };
const v2Of = (uri: string) => ({
  versions: [
    { name: "v1", weight: 80, source: { uri: "configmap://loan-v1" } },
    { name: "v2", weight: 20, source: { uri } },
  ],
  serving,
  ...sticky,
});

interface Change {
  readonly title: string;
  /** Live before the change; nothing when the change is the creation. */
  readonly given?: object;
  readonly change: object;
  /** No fewer writes than this: a test of no writes would prove nothing. */
  readonly writesAtLeast: number;
}

const CHANGES: readonly Change[] = [
  {
    title: "the creation of two versions behind routers, one of them autoscaled",
    change: {
      versions: [
        { name: "v1", weight: 80, source: { uri: "configmap://loan-v1" } },
        {
          name: "v2",
          weight: 20,
          source: { uri: "configmap://loan-v2" },
          serving: { autoscaling: { maxReplicas: 3 } },
        },
      ],
      ...sticky,
    },
    writesAtLeast: 12,
  },
  {
    title: "a changed artifact, without routers",
    given: { ...oneVersion, serving },
    change: { source: { uri: "configmap://loan-v2" }, serving },
    writesAtLeast: 8,
  },
  {
    title: "a changed weight",
    given: twoVersions(80, 20, { serving, ...sticky }),
    change: twoVersions(60, 40, { serving, ...sticky }),
    writesAtLeast: 5,
  },
  {
    title: "the rollout of a new revision of one of two versions",
    given: v2Of("configmap://loan-v2"),
    change: v2Of("configmap://loan-v3"),
    writesAtLeast: 12,
  },
  {
    title: "the removal of a version, after which routers are not needed",
    given: twoVersions(80, 20, { serving }),
    change: { versions: [{ name: "v1", source: { uri: "configmap://loan-v1" } }], serving },
    writesAtLeast: 8,
  },
];

describe("an operator that is killed after any single write, and started again,", function () {
  this.timeout(600_000);
  const lanes = new Lanes(4);
  let cluster: FaultCluster;

  before(async () => {
    cluster = await FaultCluster.start();
  });
  after(async () => cluster?.[Symbol.asyncDispose]());

  for (const change of CHANGES)
    it(`ends ${change.title} as one that was never disturbed`, async () => {
      const undisturbed = await run(change, undefined);
      expect(undisturbed.writes).to.be.at.least(change.writesAtLeast);
      const indexes = Array.from({ length: undisturbed.writes }, (_, index) => index + 1);
      const ends = await lanes.all(indexes, async (index) => ({ index, ...(await run(change, index)) }));
      for (const { index, state } of ends)
        expectSameState(state, undisturbed.state, `killed after write ${index} of ${undisturbed.writes}, it`);
      expect(ends.filter(({ wasKilled }) => wasKilled).length, "runs that were killed").to.be.at.least(
        undisturbed.writes - 2, // how often a status is written while pods come up differs by one or two
      );
    });

  it("leaves nothing of an object that is deleted while the operator is dead, in the middle of its creation", async () => {
    const [creation] = CHANGES;
    const { writes } = await run(creation!, undefined);
    const indexes = Array.from({ length: writes }, (_, index) => index + 1);
    await lanes.all(indexes, async (index) => {
      await using site = await cluster.site();
      await createUntilKilled(site, creation!.change, index);
      await site.fixture.delete(modelDeployments, NAME);
      const operator = await site.startOperator().started();
      await eventually(async () => expect(await operator.readiness()).to.equal(200));
      await eventually(async () => expect(await childrenOf(site)).to.deep.equal([]), 90_000); // a real garbage collector learns of new kinds of owners every 30 s only
    });
  });

  /** Makes the change, with a kill after the given write; the end that it comes to, and how many writes that took. */
  async function run({ given, change }: Change, killAfter: number | undefined) {
    await using site = await cluster.site();
    const { fixture, proxy } = site;
    proxy.serialWrites = true;
    const operator = site.startOperator();
    if (given !== undefined) {
      await fixture.apply(NAME, given);
      await settled(site, NAME);
    }
    await operator.started();
    const before = proxy.writes.length;
    if (killAfter !== undefined) killAfterWrite(site, operator, killAfter);
    await fixture.apply(NAME, change);
    const wasKilled = await Promise.race([operator.ended.then(() => true), settled(site, NAME).then(() => false)]);
    if (wasKilled) site.startOperator();
    const object = await settled(site, NAME);
    return { state: await endState(fixture, object), writes: proxy.writes.length - before, wasKilled };
  }

  async function createUntilKilled(site: Site, spec: object, killAfter: number): Promise<void> {
    site.proxy.serialWrites = true;
    const operator = site.startOperator();
    killAfterWrite(site, operator, killAfter);
    await site.fixture.apply(NAME, spec);
    await Promise.race([operator.ended, settled(site, NAME)]);
    operator.kill();
    await operator.ended;
  }
});

/** The write is carried out; the operator ends before it hears of that. */
function killAfterWrite({ proxy }: Site, operator: OperatorProcess, count: number): void {
  let left = count;
  proxy.faultFor = (request) => {
    if (operator.hasEnded || !isObjectWrite(request)) return undefined;
    left -= 1;
    if (left > 0) return undefined;
    return left === 0 ? { kind: "withhold", then: () => operator.kill() } : { kind: "hang" };
  };
}

async function childrenOf({ fixture }: Site): Promise<string[]> {
  const lists = await Promise.all(childTypes.map((type) => fixture.list(type, `${LABELS.modelDeployment}=${NAME}`)));
  return lists.flat().map(({ metadata }) => metadata.name);
}
