import { randomUUID } from "node:crypto";

import { expect } from "chai";
import * as fc from "fast-check";

import { isSampled } from "../../../runtime/prediction-log/sampling.ts";

const COUNT = 20_000;

describe("The sample of requests that are logged", () => {
  const ids: [title: string, make: (index: number) => string][] = [
    ["random ids", () => randomUUID()],
    ["ids of one prefix", (index) => `01a204a1-7ed6-7b4a-ac17-${index.toString(16).padStart(12, "0")}`],
    ["counted ids", (index) => String(index)],
  ];
  for (const [title, make] of ids) {
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      it(`has its share of ${title}: ${share}`, () => {
        let sampled = 0;
        for (let index = 0; index < COUNT; index += 1) if (isSampled(make(index), share)) sampled += 1;
        // Five standard deviations: one run in two million fails by chance, and only with random ids.
        expect(sampled / COUNT).to.be.closeTo(share, 5 * Math.sqrt((share * (1 - share)) / COUNT));
      });
    }
  }

  it("is decided by the id alone, and grows with its share", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.string(), share, share, (id, one, other) => {
        const [small, large] = [Math.min(one, other), Math.max(one, other)];
        return isSampled(id, small) === isSampled(id, small) && (!isSampled(id, small) || isSampled(id, large));
      }),
    );
  });

  it("is everything at 1 and nothing at 0", () => {
    fc.assert(fc.property(fc.string(), (id) => isSampled(id, 1) && !isSampled(id, 0)));
  });
});
