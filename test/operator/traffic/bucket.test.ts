import { expect } from "chai";
import * as fc from "fast-check";
import { createBucketer, type Bucketer } from "../../../operator/traffic/bucket.ts";
import { BUCKETS } from "../../../operator/traffic/intervals.ts";

describe("the bucket of a user", () => {
  let bucket: Bucketer;

  before(async () => {
    bucket = await createBucketer();
  });

  // Met by the real Envoy too (test/e2e/envoy): should one of these move, every user of every split moves.
  for (const [salt, key, expected] of [
    ["credit/loan", "user-1", 1421],
    ["credit/loan", "zoë", 6734],
    ["credit/loan", "", 6505],
    ["credit/card", "user-1", 3252],
  ] as const) {
    it(`of ${JSON.stringify(key)} in ${salt} is ${expected}`, () => expect(bucket(salt, key)).to.equal(expected));
  }

  it("is one of 10,000, and always the same", () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), (salt, key) => {
        const first = bucket(salt, key);
        expect(first).to.be.within(0, BUCKETS - 1);
        expect(Number.isInteger(first)).to.be.true;
        expect(bucket(salt, key)).to.equal(first);
      }),
    ));

  it("is unrelated between two experiments", () => {
    const users = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);
    const inBoth = users.filter((user) => bucket("credit/loan", user) < 2_000 && bucket("credit/card", user) < 2_000);
    expect(inBoth.length / users.length).to.be.closeTo(0.2 * 0.2, 0.01);
  });
});
