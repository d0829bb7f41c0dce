import { endOfChange } from "./support/change.ts";
import { expectSameState } from "./support/end-state.ts";
import { FaultCluster } from "./support/site.ts";

describe("an operator whose API server's process", function () {
  this.timeout(300_000);

  it("is killed in the middle of a change, and started again, comes to the same end", async function () {
    await using cluster = await FaultCluster.start();
    const { restartApiServer } = cluster.cluster;
    if (restartApiServer === undefined) return this.skip(); // another one's process, or this one
    const undisturbed = await endOfChange(cluster, async () => {});
    expectSameState(await endOfChange(cluster, () => restartApiServer(5_000)), undisturbed);
  });
});
