import { expect } from "chai";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { LoadedModel } from "../../../operator/plan/observed.ts";
import { SimulatedCluster } from "../../support/operator/simulated-cluster.ts";

type Rows = Readonly<Record<string, string>>;

const one = (artifact: string, more: Omit<ModelDeploymentSpec, "source"> = {}): ModelDeploymentSpec => ({
  source: { uri: `s3://models/v1/${artifact}/` },
  ...more,
});

const two = (v1: number, v2: number, artifact = "a"): ModelDeploymentSpec => ({
  versions: [
    { name: "v1", weight: v1, source: { uri: "s3://models/v1/a/" } },
    { name: "v2", weight: v2, source: { uri: `s3://models/v2/${artifact}/` } },
  ],
});

/** `number?` is a number that may be missing. */
function model(rows: Rows | undefined): LoadedModel {
  if (rows === undefined) return {};
  const features = Object.entries(rows).map(([name, type]) => ({
    name,
    type: type.replace("?", ""),
    nullable: type.endsWith("?"),
  }));
  return { features };
}

/** The spec `given` is live; then `next` is asked for, and its pods say that they take `rows`. */
function changed(
  given: ModelDeploymentSpec,
  next: ModelDeploymentSpec,
  before: Rows | undefined,
  rows: Rows | undefined,
) {
  const cluster = new SimulatedCluster(given);
  for (let pass = 0; pass < 6; pass += 1) {
    cluster.reconcile();
    cluster.settle();
  }
  const old = new Set(cluster.deployments.keys());
  cluster.change(next);
  for (let pass = 0; pass < 3; pass += 1) {
    cluster.reconcile();
    const ids = [...cluster.deployments.keys()];
    cluster.loaded = new Map(ids.map((id) => [id, model(old.has(id) ? before : rows)]));
    cluster.settle();
  }
  return cluster;
}

const loan = { age: "number", income: "number?", term: "integer" };

describe("a new revision takes traffic", () => {
  for (const [title, before, rows] of [
    ["takes the same rows", loan, loan],
    ["does without a feature", loan, { age: "number" }],
    ["may go without the feature that is new", loan, { ...loan, debt: "number?" }],
    ["may go without one that every row had", loan, { ...loan, age: "number?" }],
    ["takes numbers where integers came", loan, { ...loan, term: "number" }],
    ["does not say what it takes", loan, undefined],
    ["follows one that does not say", undefined, loan],
  ] as const)
    it(`when it ${title}`, () => {
      const { plan } = changed(one("a"), one("b"), before, rows).reconcile();
      expect(plan.mismatches).to.deep.equal([]);
      expect(plan.record.stage).to.equal("Completed");
    });

  for (const [title, before, rows, said] of [
    [
      "needs a feature that nobody sends",
      loan,
      { ...loan, debt: "string" },
      /needs the feature "debt" \(string\), v1-\w+ does not know it/,
    ],
    [
      "needs one that may be missing now",
      loan,
      { ...loan, income: "number" },
      /takes no row without the feature "income", v1-\w+ does/,
    ],
    [
      "takes integers where numbers come",
      loan,
      { ...loan, age: "integer" },
      /takes the feature "age" as integer, v1-\w+ as number/,
    ],
    [
      "takes text where numbers come",
      loan,
      { ...loan, age: "string" },
      /takes the feature "age" as string, v1-\w+ as number/,
    ],
  ] as const)
    it(`not when it ${title}: the change waits, and says both sides`, () => {
      const cluster = changed(one("a"), one("b"), before, rows);
      const { plan } = cluster.reconcile();
      expect(plan).to.include({ waitingFor: "Checks", requeueAfterMs: undefined });
      expect(plan.record.stage).to.equal("Preparing");
      expect(plan.mismatches).to.have.length(1);
      expect(plan.mismatches[0]?.message).to.match(said);

      cluster.change(one("b", { rollout: { checks: { signature: "Ignore" } } }));
      expect(cluster.reconcile().plan.record.stage, "once it is ignored").to.equal("Completed");
    });

  it("not before its pods were asked what they take, and those that serve", () => {
    const cluster = changed(one("a"), one("b"), loan, { debt: "number" });
    const asked = [...(cluster.loaded ?? [])];
    for (const known of [[], asked.slice(0, 1), asked.slice(1)]) {
      cluster.loaded = new Map(known);
      const { plan } = cluster.reconcile();
      expect(plan).to.deep.include({ waitingFor: "Checks", mismatches: [], requeueAfterMs: 1_000 });
    }
    cluster.loaded = new Map(asked.map(([id]) => [id, {}]));
    expect(cluster.reconcile().plan.waitingFor).to.equal(undefined);
  });

  it("beside other versions only when it fits each of them", () => {
    const { plan } = changed(two(80, 20), two(60, 40, "b"), loan, { ...loan, debt: "number" }).reconcile();
    expect(plan.mismatches).to.have.length(1);
    expect(plan.mismatches[0]?.message).to.match(/v1-\w+ does not know it; .*v2-\w+ does not know it\. /);
  });

  it("of a first deployment with those whose share is the largest as the measure", () => {
    const cluster = new SimulatedCluster(two(20, 80));
    const { plan } = cluster.reconcile();
    const [v1, v2] = ["v1", "v2"].map((name) => plan.revisions.find(({ version }) => version === name)?.id ?? "");
    cluster.settle();
    cluster.loaded = new Map([
      [v1 ?? "", model({ ...loan, debt: "number" })],
      [v2 ?? "", model(loan)],
    ]);
    expect(cluster.reconcile().plan.mismatches.map(({ revision }) => revision)).to.deep.equal([v1]);
  });
});
