import { expect } from "chai";
import { newestRecord } from "../../../operator/plan/record.ts";
import { createBucketer } from "../../../operator/traffic/bucket.ts";
import { revisionAt } from "../../../operator/traffic/intervals.ts";
import { condition, twoVersions } from "../objects/fixture.ts";
import type { ModelDeployment } from "../objects/fixture.ts";
import { predictForUsers } from "./clients.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

const USERS = 2_500;
/** Five standard deviations of the share of so many users. */
const CHANCE = 0.04;

describe("traffic of two versions", function () {
  this.timeout(120_000);
  let running: RunningSystem;

  before(async () => {
    running = await startRunningSystem();
  });
  after(async () => running?.close());

  it("is split by user as the model says, each user always meets one version, and 60/40 moves users from v1 to v2 only", async () => {
    await running.fixture.apply("loan", twoVersions(80, 20, sticky));
    const at80 = await running.fixture.ready("loan", 60_000);
    const port = await running.fronts.portOf(running.cluster.namespace, "loan");
    const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
    const before = await predictForUsers(port, users);
    expect(share(before, "v2")).to.be.closeTo(0.2, CHANCE);
    expect(before).to.deep.equal(await predicted(at80, users));
    expect(await predictForUsers(port, users.slice(0, 500))).to.deep.equal(new Map([...before].slice(0, 500)));

    await running.fixture.apply("loan", twoVersions(60, 40, sticky));
    const at60 = await running.fixture.until(
      "loan",
      (each) => condition(each, "Ready")?.status === "True" && each.status?.split === "v1:60 v2:40",
    );
    expect(at60.status?.revisions?.map(({ weight }) => weight.verified)).to.deep.equal([60, 40]);
    const after = await predictForUsers(port, users);
    expect(after).to.deep.equal(await predicted(at60, users));
    const moved = users.filter((user) => before.get(user) !== after.get(user));
    expect(new Set(moved.map((user) => `${before.get(user)}->${after.get(user)}`))).to.deep.equal(new Set(["v1->v2"]));
    expect(moved.length / users.length).to.be.closeTo(0.2, CHANCE);
  });

  /** Which version the model in operator/traffic gives each user. */
  async function predicted(object: ModelDeployment, users: readonly string[]): Promise<Map<string, string>> {
    const bucketOf = await createBucketer();
    const record = newestRecord([object.status?.rollout]);
    const versions = new Map(object.status?.revisions?.map(({ revision, version }) => [revision, version]));
    const salt = `${running.cluster.namespace}/${object.metadata.name}`;
    return new Map(
      users.map((user) => [user, versions.get(revisionAt(record?.to.split ?? [], bucketOf(salt, user))) ?? "none"]),
    );
  }
});

function share(met: ReadonlyMap<string, string>, version: string): number {
  return [...met.values()].filter((each) => each === version).length / met.size;
}
