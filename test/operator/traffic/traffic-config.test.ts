import { expect } from "chai";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { clustersConfig, type Backend } from "../../../operator/traffic/envoy-clusters.ts";
import { routesConfig, type Routes } from "../../../operator/traffic/envoy-routes.ts";
import { rebalance, splitOf } from "../../../operator/traffic/intervals.ts";
import { trafficConfigData } from "../../../operator/traffic/traffic-config.ts";

const GOLDEN = new URL("../../golden/traffic/", import.meta.url);

const backend = (revision: string, version: string): Backend => ({
  revision,
  version,
  serviceHost: `loan-${revision}.credit.svc`,
  port: 8000,
});
const V1 = backend("v1-11111111", "v1");
const V2 = backend("v2-22222222", "v2");
const V2_NEXT = backend("v2-33333333", "v2");

const routesOf = (backends: readonly Backend[], rest: Pick<Routes, "split"> & Partial<Routes>): Routes => ({
  salt: "credit/loan",
  pins: new Map(backends.map(({ version, revision }) => [version, revision])),
  versions: new Map(backends.map(({ version, revision }) => [revision, version])),
  ...rest,
});
const steady = routesOf([V1, V2], {
  stickyHeader: "x-user-id",
  split: splitOf(
    new Map([
      ["v1-11111111", 80],
      ["v2-22222222", 20],
    ]),
  ),
});
const router = { namespace: "credit", name: "loan" };

describe("the traffic ConfigMap", () => {
  for (const [name, data] of Object.entries({
    "sticky-split": trafficConfigData(router, clustersConfig([V1, V2]), routesConfig(steady)),
    "grpc-of-one-version": trafficConfigData(
      router,
      clustersConfig([V1, { ...V2, grpcPort: 9000 }]),
      routesConfig({ ...steady, grpc: new Set([V2.revision]) }),
    ),
    "new-clusters-under-old-routes": trafficConfigData(router, clustersConfig([V1, V2, V2_NEXT]), routesConfig(steady)),
    "random-split-in-a-rollout": trafficConfigData(
      router,
      clustersConfig([V1, V2, V2_NEXT]),
      routesConfig(
        routesOf([V1, V2_NEXT, V2], {
          split: rebalance(
            steady.split,
            new Map([
              ["v1-11111111", 75],
              ["v2-22222222", 15],
              ["v2-33333333", 10],
            ]),
            new Map([["v2-22222222", "v2-33333333"]]),
          ).split,
        }),
      ),
    ),
  })) {
    for (const [file, text] of Object.entries(data)) {
      if (file === "envoy.yaml" && name !== "sticky-split") continue; // the same in all
      it(`is as agreed: ${name}/${file}`, () => expectGolden(`${name}/${file}`, text));
    }
  }

  it("gives back the old routes byte for byte from the same data", () =>
    expect(routesConfig(structuredClone(steady))).to.deep.equal(routesConfig(steady)));

  it("has another hash for any other routes", () => {
    const variants: Routes[] = [
      steady,
      { ...steady, salt: "credit/card" },
      { ...steady, stickyHeader: "x-session" },
      routesOf([V1, V2], { split: steady.split }),
      { ...steady, pins: new Map([["v1", "v1-11111111"]]) },
      { ...steady, split: steady.split.toReversed() },
      {
        ...steady,
        split: splitOf(
          new Map([
            ["v1-11111111", 79.99],
            ["v2-22222222", 20.01],
          ]),
        ),
      },
    ];
    expect(new Set(variants.map((variant) => routesConfig(variant).hash))).to.have.lengthOf(variants.length);
  });

  it("says the hash of the routes in the routes, and the version of the clusters in the clusters", () => {
    const { text, hash } = routesConfig(steady);
    expect(text.split(hash)).to.have.lengthOf(3); // as the version, and in the answer of the hash host
    const clusters = clustersConfig([V1, V2]);
    expect(parse(clusters.text)).to.have.property("version_info", clusters.version);
  });

  it("refuses to route to a revision whose version it was not told", () =>
    expect(() => routesConfig({ ...steady, versions: new Map() })).to.throw("v1-11111111"));
});

/** UPDATE_GOLDEN=1 rewrites the files: look at the difference before you commit it. */
function expectGolden(name: string, text: string): void {
  const file = new URL(name, GOLDEN);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(new URL(".", file), { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).to.equal(readFileSync(file, "utf8"));
}
