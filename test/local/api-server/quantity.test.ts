import { expect } from "chai";
import * as fc from "fast-check";
import { canonicalQuantity, parseQuantity } from "../../../local/api-server/quantity.ts";

describe("a quantity as it is written back", () => {
  for (const [given, written] of [
    ["1.5Gi", "1536Mi"],
    ["1025Ki", "1025Ki"],
    ["0.5Ki", "512"],
    ["0.1Mi", "104857600m"],
    ["0.0001Ki", "102400u"],
    ["16Ei", "9223372036854775807"],
    ["0.5", "500m"],
    ["1000m", "1"],
    ["100E", "100E"],
    ["-1500m", "-1500m"],
    ["0.0000000001", "1n"],
    ["1e17", "100e15"],
    ["12e1", "120"],
    ["1e30", "1e30"],
    ["1e20000000", "100e19999998"],
    ["1e-9999999", "1e-9"],
    ["0e0", "0"],
    ["1e99999999999999999999", "1e99999999999999999999"],
    ["12 apples", "12 apples"],
  ] as const)
    it(`is ${written} for ${given}`, () => expect(canonicalQuantity(given)).to.equal(written));

  it("is the same amount, and stays as it is when it is written back again", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000_000, max: 1_000_000 }),
        fc.constantFrom("m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-2"),
        (number, suffix) => {
          const written = canonicalQuantity(`${number}${suffix}`);
          expect(parseQuantity(written)).to.be.closeTo(parseQuantity(`${number}${suffix}`) ?? Number.NaN, 1e-6);
          expect(canonicalQuantity(written)).to.equal(written);
        },
      ),
    ));
});
