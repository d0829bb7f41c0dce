import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import { endState, settled } from "./end-state.ts";
import type { FaultCluster, Site } from "./site.ts";

export const NAME = "loan";

const spec = (v2: string, weight: number) => ({
  versions: [
    { name: "v1", weight: 100 - weight, source: { uri: "configmap://loan-v1" } },
    { name: "v2", weight, source: { uri: v2 } },
  ],
  serving: { replicas: 2 },
  traffic: { sticky: { header: "x-user-id" } },
});
export const given = spec("configmap://loan-v2", 20);
/** A new revision and another weight at once: every kind of write and each stage of make before break. */
export const change = spec("configmap://loan-v3", 40);

/** How long an operator may take that waited longer from try to try while its API server was gone. */
const AFTERWARDS_MS = 120_000;

/** The end that the change comes to when `interrupt` happens after its third write. */
export async function endOfChange(cluster: FaultCluster, interrupt: (site: Site) => Promise<void>): Promise<unknown> {
  await using site = await cluster.site();
  const { proxy, fixture } = site;
  const operator = site.startOperator();
  await fixture.apply(NAME, given);
  await settled(site, NAME);
  const before = proxy.writes.length;
  await fixture.apply(NAME, change);
  await eventually(() => expect(proxy.writes.length).to.be.at.least(before + 3));
  await interrupt(site);
  const end = await endState(fixture, await settled(site, NAME, AFTERWARDS_MS));
  expect(operator.hasEnded, "the process has ended").to.equal(false);
  return end;
}
