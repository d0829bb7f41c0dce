import { expect } from "chai";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import { aliasReferences, resolveAliases } from "../../../operator/plan/aliases.ts";
import type { AliasReference, AliasState, ResolvedAliases } from "../../../operator/plan/aliases.ts";
import type { RolloutRecord } from "../../../operator/plan/record.ts";
import { desiredRevisions } from "../../../operator/plan/revision.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";

const mlflow = { trackingUri: "http://mlflow.mlops:5000", secretRef: { name: "mlflow-auth" } };
const champion = { uri: "models:/Loan Model@champion", mlflow };
const spec: ModelDeploymentSpec = {
  versions: [
    { name: "v1", weight: 80, source: { uri: "models:/Loan Model/3", mlflow } },
    { name: "v2", weight: 20, source: champion },
  ],
};
const md = validModelDeployment(spec);
const away: AliasState = { problem: { reason: "RegistryUnavailable", message: "connect ECONNREFUSED" } };

describe("aliases in a spec", () => {
  it("are those of models:/NAME@ALIAS, with the server and the Secret that the version names", () => {
    expect([...aliasReferences(md)]).to.deep.equal([
      [
        "v2",
        {
          trackingUri: mlflow.trackingUri,
          namespace: "credit",
          secret: "mlflow-auth",
          model: "Loan Model",
          alias: "champion",
        },
      ],
    ]);
  });

  const resolved = (
    record: RolloutRecord | undefined,
    stateOf: (reference: AliasReference) => AliasState,
  ): ResolvedAliases => resolveAliases(md, aliasReferences(md), record, stateOf);

  it("name the version that the registry says", () => {
    const { artifacts, stale, unresolved } = resolved(undefined, () => ({ version: "7" }));
    expect([...artifacts]).to.deep.equal([["v2", "models:/Loan Model/7"]]);
    expect({ stale, unresolved }).to.deep.equal({ stale: [], unresolved: undefined });
  });

  it("are pending before the registry was asked, and a problem with the field's path when it refuses", () => {
    expect(resolved(undefined, () => ({})).unresolved).to.equal("Pending");
    expect(resolved(undefined, () => away).unresolved).to.deep.equal({
      reason: "RegistryUnavailable",
      message: "spec.versions[1].source: connect ECONNREFUSED",
    });
  });

  const pinned = (...revisions: [id: string, artifact: string, source?: object][]): RolloutRecord => ({
    sequence: 3,
    stage: "Completed",
    base: { via: "Router", split: [{ revision: revisions[0]?.[0] ?? "", buckets: 10_000 }] },
    from: { via: "Router", split: [] },
    to: { via: "Router", split: [{ revision: revisions[0]?.[0] ?? "", buckets: 10_000 }] },
    step: 0,
    stepStarted: "2026-01-01T00:00:00.000Z",
    pausedFor: 0,
    failed: [],
    nonces: {},
    draining: {},
    revisions: Object.fromEntries(
      revisions.map(([id, artifact, source = {}]) => [
        id,
        { version: "v2", image: "runtime", source: { ...champion, ...source }, artifact, serving: {} },
      ]),
    ),
  });

  it("stay what the record pinned while the registry is away", () => {
    const record = pinned(["v2-new", "models:/Loan Model/7"], ["v2-old", "models:/Loan Model/6"]);
    const { artifacts, stale, unresolved } = resolved(record, () => away);
    expect(artifacts.get("v2")).to.equal("models:/Loan Model/7");
    expect(stale).to.have.length(1);
    expect(unresolved).to.equal(undefined);
    expect(resolved(record, () => ({})).artifacts.get("v2")).to.equal("models:/Loan Model/7");
  });

  it("do not stay what was pinned for another source or by a revision that drains", () => {
    const other = pinned(["v2-a", "models:/Loan Model/7", { uri: "models:/Loan Model@challenger" }]);
    expect(resolved(other, () => ({})).unresolved).to.equal("Pending");
    const draining = {
      ...pinned(["v2-a", "models:/Loan Model/7"]),
      draining: { "v2-a": "2026-01-01T00:00:00.000Z" },
    };
    expect(resolved(draining, () => ({})).unresolved).to.equal("Pending");
  });

  it("make another revision of each version that they name, and leave other versions' revisions as they are", () => {
    const ids = (version: string): string[] =>
      desiredRevisions(md, resolved(undefined, () => ({ version })).artifacts).map(({ id }) => id);
    expect(ids("7")).to.deep.equal(ids("7"));
    expect(ids("7")[0]).to.equal(ids("8")[0]);
    expect(ids("7")[1]).to.not.equal(ids("8")[1]);
  });
});
