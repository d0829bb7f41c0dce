import { expect } from "chai";
import { AliasWatcher } from "../../../operator/mlflow/alias-watcher.ts";
import { AliasError } from "../../../operator/mlflow/registry.ts";
import type { AliasReference } from "../../../operator/plan/aliases.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const champion: AliasReference = {
  trackingUri: "https://mlflow.example.com",
  namespace: "credit",
  model: "Loan",
  alias: "champion",
};
const loan = { namespace: "credit", name: "loan" };
const other = { namespace: "credit", name: "other" };
const POLL_MS = 60_000;

describe("AliasWatcher", () => {
  let clock: FakeClock;
  let asked: string[];
  let told: string[];
  let version: string | AliasError;
  let watcher: AliasWatcher;
  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    told = [];
    version = "1";
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    watcher = new AliasWatcher({
      registry: {
        versionOf: async ({ model, alias }) => {
          asked.push(`${model}@${alias}`);
          if (version instanceof AliasError) throw version;
          return version;
        },
      },
      pollMs: POLL_MS,
      clock,
      log,
      random: () => 0.5,
      onChange: ({ name }) => told.push(name),
    });
  });
  afterEach(() => watcher.stop());

  const refused = new AliasError({ reason: "RegistryUnavailable", message: "it is away" });

  it("asks at once, tells the object, and asks again at each interval without telling when nothing changed", async () => {
    watcher.follow(loan, [champion]);
    expect(watcher.stateOf(champion)).to.deep.equal({});
    await clock.advance(0);
    expect(watcher.stateOf(champion)).to.deep.equal({ version: "1" });
    await clock.advance(POLL_MS * 3);
    expect(asked).to.have.length(4);
    expect(told).to.deep.equal(["loan"]);
  });

  it("asks once for all objects that name the same, and tells each when it moves", async () => {
    watcher.follow(loan, [champion]);
    watcher.follow(other, [champion]);
    await clock.advance(0);
    expect(asked).to.have.length(1);
    version = "2";
    await clock.advance(POLL_MS);
    expect(watcher.stateOf(champion)).to.deep.equal({ version: "2" });
    expect(told.slice(-2)).to.have.members(["loan", "other"]);
  });

  it("shares nothing between namespaces, whose Secrets differ", async () => {
    watcher.follow(loan, [champion]);
    watcher.follow(other, [{ ...champion, namespace: "risk" }]);
    await clock.advance(0);
    expect(asked).to.have.length(2);
  });

  it("keeps the last answer while the registry is away, retries soon, then ever slower, and tells once", async () => {
    watcher.follow(loan, [champion]);
    await clock.advance(0);
    version = refused;
    await clock.advance(POLL_MS);
    expect(watcher.stateOf(champion)).to.deep.equal({ version: "1", problem: refused.problem });
    const before = asked.length;
    await clock.advance(5_000);
    expect(asked.length - before).to.be.within(2, 5);
    await clock.advance(POLL_MS * 10);
    expect(asked.length - before).to.be.below(25);
    expect(told).to.deep.equal(["loan", "loan"]);
    version = "1";
    await clock.advance(POLL_MS);
    expect(watcher.stateOf(champion)).to.deep.equal({ version: "1" });
    expect(told).to.have.length(3);
  });

  it("asks no longer for what no object names any more", async () => {
    watcher.follow(loan, [champion]);
    watcher.follow(other, [champion]);
    await clock.advance(0);
    watcher.follow(loan, []);
    await clock.advance(POLL_MS);
    expect(asked).to.have.length(2);
    watcher.follow(other, [{ ...champion, alias: "challenger" }]);
    await clock.advance(POLL_MS);
    expect(asked.slice(2)).to.deep.equal(["Loan@challenger", "Loan@challenger"]);
    watcher.stop();
    expect(clock.pendingTimers).to.equal(0);
  });
});
