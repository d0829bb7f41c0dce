import { expect } from "chai";
import { LABELS } from "../../operator/api/names.ts";
import { childTypes, modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { oneVersion, twoVersions } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { endState, expectSameState, settled } from "./support/end-state.ts";
import { isObjectWrite } from "./support/fault-proxy.ts";
import { isLongForm } from "./support/forms.ts";
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
    it(`and so after every write of its successors, ends ${change.title} as one that was never disturbed`, async () => {
      const undisturbed = await changeWithin(change, "none");
      expect(undisturbed.writes).to.be.at.least(change.writesAtLeast);
      const chained = await changeWithin(change, "each");
      expectSameState(chained.state, undisturbed.state, "killed after every write, it");
      // Each successor writes less again of what its predecessor wrote, and the end may show before the last one dies.
      expect(chained.kills, "operators that were killed").to.be.at.least(change.writesAtLeast / 2);
    });

  if (isLongForm)
    for (const change of CHANGES)
      it(`ends ${change.title} as one that was never disturbed, whichever write it was`, async () => {
        const undisturbed = await changeWithin(change, "none");
        const indexes = Array.from({ length: undisturbed.writes }, (_, index) => index + 1);
        const runs = await lanes.all(indexes, async (index) => ({
          index,
          ...(await changeWithin(change, index)),
        }));
        for (const { index, state } of runs)
          expectSameState(state, undisturbed.state, `killed after write ${index} of ${undisturbed.writes}, it`);
        // How often a status is written while pods come up differs from run to run: the last indexes may not be reached.
        expect(runs.filter(({ kills }) => kills > 0).length).to.be.at.least(change.writesAtLeast);
      });

  it("leaves nothing of an object that is deleted while the operator is dead, in the middle of its creation", async () => {
    const [creation] = CHANGES;
    const indexes = Array.from({ length: creation!.writesAtLeast }, (_, index) => index + 1).filter(
      (index) => isLongForm || index % 4 === 1,
    );
    await lanes.all(indexes, async (index) => {
      await using site = await cluster.site();
      site.proxy.serialWrites = true;
      const dies = site.startOperator();
      killAfterWrite(site, dies, index);
      await site.fixture.apply(NAME, creation!.change);
      await dies.ended;
      await site.fixture.delete(modelDeployments, NAME);
      const operator = await site.startOperator().started();
      await eventually(async () => expect(await operator.readiness()).to.equal(200));
      await eventually(async () => expect(await childrenOf(site)).to.deep.equal([]), 90_000); // a real garbage collector learns of new kinds of owners every 30 s only
    });
  });

  /** Makes the change while an operator is killed, or one after the other; the end that it comes to, and what that took. */
  async function changeWithin({ given, change }: Change, killedAfter: Kill) {
    await using site = await cluster.site();
    const { fixture, proxy } = site;
    proxy.serialWrites = true;
    let operator = await site.startOperator().started();
    if (given !== undefined) {
      await fixture.apply(NAME, given);
      await settled(site, NAME);
    }
    const before = proxy.writes.length;
    killAfterWrite(site, operator, killedAfter === "each" ? 1 : killedAfter);
    await fixture.apply(NAME, change);
    const end = settled(site, NAME, 180_000);
    let kills = 0;
    while (await Promise.race([operator.ended.then(() => true), end.then(() => false)])) {
      kills += 1;
      operator = site.startOperator();
      killAfterWrite(site, operator, killedAfter === "each" ? 1 : "none");
    }
    return { state: await endState(fixture, await end), writes: proxy.writes.length - before, kills };
  }
});

/** After which write of the change the operator is killed; `each`: one operator after the other makes one write. */
type Kill = number | "each" | "none";

/** The write is carried out; the operator ends before it hears of that. */
function killAfterWrite({ proxy }: Site, operator: OperatorProcess, killedAfter: number | "none"): void {
  let left = killedAfter === "none" ? Number.POSITIVE_INFINITY : killedAfter;
  proxy.faultFor = (request) => {
    if (operator.hasEnded || !isObjectWrite(request)) return undefined;
    left -= 1;
    if (left > 0) return undefined;
    return left === 0 ? { kind: "withhold", before: () => operator.kill() } : { kind: "hang" };
  };
}

async function childrenOf({ fixture }: Site): Promise<string[]> {
  const lists = await Promise.all(childTypes.map((type) => fixture.list(type, `${LABELS.modelDeployment}=${NAME}`)));
  return lists.flat().map(({ metadata }) => metadata.name);
}
