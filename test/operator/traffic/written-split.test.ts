import { expect } from "chai";
import * as fc from "fast-check";
import { routesConfig } from "../../../operator/traffic/envoy-routes.ts";
import { rebalance, splitOf } from "../../../operator/traffic/intervals.ts";
import { writtenSplit } from "../../../operator/traffic/written-split.ts";

describe("writtenSplit", () => {
  it("reads back what was written, with any shares, sticky or not, with gRPC and pins or without", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 99 }), fc.boolean(), (a, b, isRich) => {
        const before = splitOf(
          new Map([
            ["v1-a", a],
            ["v2-b", 100 - a],
          ]),
        );
        const { split } = rebalance(
          before,
          new Map([
            ["v1-a", b],
            ["v2-b", 100 - b],
          ]),
          new Map(),
        );
        const versions = new Map([
          ["v1-a", "v1"],
          ["v2-b", "v2"],
        ]);
        const pins = new Map([["v1", "v1-a"]]);
        const more = isRich
          ? { stickyHeader: "x-user-id", grpc: new Set(["v1-a"]), pins }
          : { pins: new Map<string, string>() };
        expect(writtenSplit(routesConfig({ salt: "credit/loan", split, versions, ...more }).text)).to.deep.equal(split);
      }),
    ));

  for (const [title, text] of [
    ["nothing", ""],
    ["no YAML", "a: [b"],
    ["other YAML", "resources: none"],
    [
      "shares that are not whole",
      routesConfig({
        salt: "s",
        split: [{ revision: "v1-a", buckets: 1 }],
        versions: new Map([["v1-a", "v1"]]),
        pins: new Map(),
      }).text,
    ],
  ] as const)
    it(`knows no split from ${title}`, () => expect(writtenSplit(text)).to.equal(undefined));
});
