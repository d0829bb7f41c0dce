import { expect } from "chai";
import * as fc from "fast-check";
import { canonicalQuantity } from "../../../operator/resources/quantity.ts";

describe("canonicalQuantity", () => {
  /** What a kube-apiserver 1.36 gave back for each. */
  const table: [given: string | number, back: string][] = [
    ["1000m", "1"],
    [0.5, "500m"],
    ["0.1", "100m"],
    [".5", "500m"],
    ["00.50", "500m"],
    ["1500m", "1500m"],
    [2, "2"],
    ["0Gi", "0"],
    ["1k", "1k"],
    ["1.5k", "1500"],
    ["1.5M", "1500k"],
    ["1000G", "1T"],
    ["1E", "1E"],
    ["1e1", "10"],
    ["1e3", "1e3"],
    ["1000e3", "1e6"],
    ["1.5e3", "1500"],
    ["100e-2", "1"],
    ["1024", "1024"],
    ["2Gi", "2Gi"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["1025Ki", "1025Ki"],
    ["1.5Ki", "1536"],
    ["0.5Ki", "512"],
    ["0.3Mi", "314572800m"],
    ["7Ei", "7Ei"],
    // Nothing of a pod is finer than a thousandth, and what is gets rounded up.
    ["1n", "1m"],
    ["1500u", "2m"],
    ["0.0005Ki", "512m"],
    ["1.0000001Gi", "1073741931375m"],
    ["1.2e-4", "1e-3"],
    ["123456789.123456789", "123456789124m"],
  ];
  for (const [given, back] of table)
    it(`writes ${JSON.stringify(given)} as ${back}`, () => expect(canonicalQuantity(given)).to.equal(back));

  it("does not change what it made itself", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.constantFrom("", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e6", "e-3"),
        (number, suffix) => {
          const once = canonicalQuantity(`${number}${suffix}`);
          expect(canonicalQuantity(once)).to.equal(once);
        },
      ),
    ));
});
