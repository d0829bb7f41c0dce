import { expect } from "chai";
import * as fc from "fast-check";
import {
  BUCKETS,
  MAX_INTERVALS,
  movedBuckets,
  rebalance,
  revisionAt,
  sharesOf,
  splitOf,
  type Shares,
  type Split,
} from "../../../operator/traffic/intervals.ts";

const shares = (weights: Record<string, number>): Shares => new Map(Object.entries(weights));

const split = (...intervals: [revision: string, buckets: number][]): Split =>
  intervals.map(([revision, buckets]) => ({ revision, buckets }));

describe("rebalance", () => {
  const table: [title: string, from: Split, to: Shares, successors: Record<string, string>, result: Split][] = [
    [
      "carves a new revision from the end of the one that shrinks",
      split(["v1", 10_000]),
      shares({ v1: 80, v2: 20 }),
      {},
      split(["v1", 8_000], ["v2", 2_000]),
    ],
    [
      "moves the border between two neighbours",
      split(["v1", 8_000], ["v2", 2_000]),
      shares({ v1: 60, v2: 40 }),
      {},
      split(["v1", 6_000], ["v2", 4_000]),
    ],
    [
      "moves no one from v2 to v3 when v1 gives to v3 alone",
      split(["v1", 4_000], ["v2", 4_000], ["v3", 2_000]),
      shares({ v1: 20, v2: 40, v3: 40 }),
      {},
      split(["v1", 2_000], ["v3", 2_000], ["v2", 4_000], ["v3", 2_000]),
    ],
    [
      "gives a replaced revision's users to its successor",
      split(["v1-a", 8_000], ["v2-a", 2_000]),
      shares({ "v2-b": 20, "v1-b": 80 }),
      { "v1-a": "v1-b", "v2-a": "v2-b" },
      split(["v1-b", 8_000], ["v2-b", 2_000]),
    ],
    [
      "keeps users with their version while two versions roll at once",
      split(["v1-a", 8_000], ["v2-a", 2_000]),
      shares({ "v1-a": 40, "v1-b": 40, "v2-a": 10, "v2-b": 10 }),
      { "v1-a": "v1-b", "v2-a": "v2-b" },
      split(["v1-b", 4_000], ["v1-a", 4_000], ["v2-b", 1_000], ["v2-a", 1_000]),
    ],
    [
      "carves weights after the successor took over",
      split(["v1-a", 8_000], ["v2", 2_000]),
      shares({ "v1-b": 60, v2: 40 }),
      { "v1-a": "v1-b" },
      split(["v1-b", 6_000], ["v2", 4_000]),
    ],
    [
      "drops a revision without a share",
      split(["v1", 8_000], ["v2", 2_000]),
      shares({ v1: 0, v2: 100 }),
      {},
      split(["v2", 10_000]),
    ],
    [
      "takes shares of a hundredth of a percent",
      split(["v1", 10_000]),
      shares({ v1: 99.99, v2: 0.01 }),
      {},
      split(["v1", 9_999], ["v2", 1]),
    ],
  ];
  for (const [title, from, to, successors, result] of table) {
    it(title, () =>
      expect(rebalance(from, to, new Map(Object.entries(successors)))).to.deep.equal({
        split: result,
        coalesced: false,
      }),
    );
  }

  it("moves exactly the users that the change of shares asks for, and only from shrinking to growing revisions", () =>
    fc.assert(
      fc.property(histories(6), (history) => {
        for (const { before, target, after } of replay(history)) {
          const old = bucketsBy(before);
          const wanted = bucketsBy(after);
          const decreases = [...old].reduce(
            (sum, [revision, n]) => sum + Math.max(0, n - (wanted.get(revision) ?? 0)),
            0,
          );
          expect(movedBuckets(before, after.split)).to.equal(decreases);
          for (const bucket of changedBuckets(before, after.split)) {
            const [from, to] = [revisionAt(before, bucket), revisionAt(after.split, bucket)];
            expect(wanted.get(from) ?? 0, `${from} gave, so it shrinks`).to.be.below(old.get(from) ?? 0);
            expect(wanted.get(to) ?? 0, `${to} took, so it grows`).to.be.above(old.get(to) ?? 0);
          }
          expect(sharesOf(after.split)).to.deep.include.keys(
            ...[...target].filter(([, n]) => n > 0).map(([name]) => name),
          );
        }
      }),
    ));

  it("always gives 10,000 buckets in the wanted shares, without empty intervals or equal neighbours", () =>
    fc.assert(
      fc.property(histories(6), (history) => {
        for (const { target, after } of replay(history)) expectSound(after.split, target);
      }),
    ));

  it("gives the same split for the same history", () =>
    fc.assert(fc.property(histories(8), (history) => void expect(replay(history)).to.deep.equal(replay(history)))));

  it("keeps every user with their version when successors take over one by one", () =>
    fc.assert(
      fc.property(weights(), (target) => {
        const before = splitOf(target);
        const successors = new Map([...target.keys()].map((revision) => [revision, `${revision}-next`]));
        const renamed = new Map([...target].reverse().map(([revision, percent]) => [`${revision}-next`, percent]));
        const { split: after } = rebalance(before, renamed, successors);
        for (let bucket = 0; bucket < BUCKETS; bucket += 97) {
          expect(revisionAt(after, bucket)).to.equal(`${revisionAt(before, bucket)}-next`);
        }
      }),
    ));

  it("moves no user more than it must, with few intervals, through 1,000 changes", () => {
    let current = splitOf(shares({ v0: 100 }));
    for (const target of fc.sample(weights(), { numRuns: 1_000, seed: 7 })) {
      const { split: after, coalesced } = rebalance(current, target);
      expectSound(after, target);
      expect(coalesced).to.be.false;
      expect(movedBuckets(current, after)).to.equal(decreases(current, target));
      current = after;
    }
  });

  it("moves some users more, and says so, when a split is in too many pieces", () => {
    const pieces = Array.from({ length: 400 }, (_, i) => ({ revision: `v${i % 4}`, buckets: 25 }));
    const target = shares({ v0: 24, v1: 25, v2: 25, v3: 25, v4: 1 });
    const { split: after, coalesced } = rebalance(pieces, target);
    expect(coalesced).to.be.true;
    expectSound(after, target);
    expect(movedBuckets(pieces, after)).to.be.above(100);
  });

  it("refuses shares that do not sum to 100", () =>
    expect(() => splitOf(shares({ v1: 80, v2: 10 }))).to.throw(RangeError, "v1: 80, v2: 10"));
});

describe("revisionAt", () => {
  it("names the holder of the first and the last bucket of each interval", () => {
    const current = split(["v1", 6_000], ["v2", 4_000]);
    expect([0, 5_999, 6_000, 9_999].map((bucket) => revisionAt(current, bucket))).to.deep.equal([
      "v1",
      "v1",
      "v2",
      "v2",
    ]);
  });

  it("refuses a bucket that does not exist", () => {
    for (const bucket of [-1, 10_000, 0.5])
      expect(() => revisionAt(split(["v1", 10_000]), bucket)).to.throw(RangeError);
  });
});

/** Percentages of up to eight revisions, some of them 0. */
function weights(): fc.Arbitrary<Shares> {
  return fc
    .array(fc.nat(100), { minLength: 8, maxLength: 8 })
    .map((cuts) => cuts.toSorted((a, b) => a - b))
    .map((cuts) => new Map([...cuts, 100].slice(1).map((cut, i) => [`v${i}`, cut - (i === 0 ? 0 : cuts[i]!)])));
}

function histories(length: number): fc.Arbitrary<Shares[]> {
  return fc.array(weights(), { minLength: 2, maxLength: length });
}

function replay([first, ...rest]: Shares[]) {
  let before = splitOf(first!);
  return rest.map((target) => {
    const step = { before, target, after: rebalance(before, target) };
    before = step.after.split;
    return step;
  });
}

function expectSound(result: Split, target: Shares): void {
  expect(result.reduce((sum, { buckets }) => sum + buckets, 0)).to.equal(BUCKETS);
  expect(result.every(({ buckets }) => buckets > 0)).to.be.true;
  expect(result.some(({ revision }, i) => revision === result[i + 1]?.revision)).to.be.false;
  expect(result.length).to.be.at.most(MAX_INTERVALS);
  expect(sharesOf(result)).to.deep.equal(new Map([...target].filter(([, percent]) => percent > 0)));
}

function decreases(before: Split, target: Shares): number {
  return [...sharesOf(before)].reduce(
    (sum, [name, percent]) => sum + Math.max(0, percent - (target.get(name) ?? 0)) * 100,
    0,
  );
}

function bucketsBy(of: Split | { readonly split: Split }): Map<string, number> {
  const intervals = "split" in of ? of.split : of;
  return new Map([...sharesOf(intervals)].map(([revision, percent]) => [revision, percent * 100]));
}

function changedBuckets(before: Split, after: Split): number[] {
  return Array.from({ length: BUCKETS / 53 }, (_, i) => i * 53).filter(
    (bucket) => revisionAt(before, bucket) !== revisionAt(after, bucket),
  );
}
