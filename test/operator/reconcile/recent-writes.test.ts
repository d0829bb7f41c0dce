import { expect } from "chai";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { RecentWrites } from "../../../operator/reconcile/recent-writes.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const child = (name: string, resourceVersion: string, owner = "loan"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name,
    namespace: "credit",
    uid: `uid-${name}`,
    resourceVersion,
    labels: { "serving.slipway.dev/model-deployment": owner },
  },
});

const versions = (objects: readonly KubeObject[]) =>
  objects.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);

describe("RecentWrites", () => {
  it("takes its own write for newer than what the cache still has", () => {
    const recent = new RecentWrites(new FakeClock());
    recent.add(child("v1", "100"));
    expect(versions(recent.merge("credit/loan", [child("v1", "99")]))).to.deep.equal(["v1@100"]);
  });

  it("compares resourceVersions as numbers: 1000 is newer than 999", () => {
    const recent = new RecentWrites(new FakeClock());
    recent.add(child("v1", "999"));
    expect(recent.newer(child("v1", "1000")).metadata.resourceVersion).to.equal("1000");
  });

  it("adds what it wrote and no watch has told of, to its own object only", () => {
    const recent = new RecentWrites(new FakeClock());
    recent.add(child("v1", "100"));
    recent.add(child("other", "101", "churn"));
    expect(versions(recent.merge("credit/loan", []))).to.deep.equal(["v1@100"]);
  });

  it("forgets a write once the watch has caught up with it", () => {
    const recent = new RecentWrites(new FakeClock());
    recent.add(child("v1", "100"));
    recent.caughtUp(child("v1", "99"), false);
    expect(versions(recent.merge("credit/loan", []))).to.deep.equal(["v1@100"]);
    recent.caughtUp(child("v1", "100"), false);
    expect(recent.merge("credit/loan", [])).to.deep.equal([]);
  });

  it("forgets a write to what is gone", () => {
    const recent = new RecentWrites(new FakeClock());
    recent.add(child("v1", "100"));
    recent.caughtUp(child("v1", "99"), true);
    expect(recent.merge("credit/loan", [])).to.deep.equal([]);
  });

  it("does not take a child for alive for ever that was created and deleted while no watch ran", async () => {
    const clock = new FakeClock();
    const recent = new RecentWrites(clock);
    recent.add(child("v1", "100"));
    await clock.advance(59_000);
    recent.add(child("v2", "200"));
    expect(versions(recent.merge("credit/loan", []))).to.deep.equal(["v1@100", "v2@200"]);
    await clock.advance(1_000);
    expect(versions(recent.merge("credit/loan", []))).to.deep.equal(["v2@200"]);
  });

  it("counts the time from the last write to an object", async () => {
    const clock = new FakeClock();
    const recent = new RecentWrites(clock);
    recent.add(child("v1", "100"));
    await clock.advance(59_000);
    recent.add(child("v1", "101"));
    await clock.advance(59_000);
    expect(versions(recent.merge("credit/loan", []))).to.deep.equal(["v1@101"]);
  });
});
