import { expect } from "chai";
import * as fc from "fast-check";
import { LeaderElector, NotLeaderError } from "../../../operator/kube/leader-election.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { LeaseApi } from "./lease-api.ts";
import { RecordingLog } from "./recording-log.ts";

describe("LeaderElector", () => {
  let clock: FakeClock;
  let api: LeaseApi;
  let electors: LeaderElector[];

  beforeEach(() => {
    clock = new FakeClock();
    api = new LeaseApi(clock);
    electors = [];
  });

  afterEach(async () => {
    await Promise.all(electors.map(async (elector) => elector.release()));
  });

  function candidate(identity: string, connection: Parameters<LeaseApi["client"]>[0] = { state: "up" }) {
    const lost: string[] = [];
    const elector = new LeaderElector({
      client: api.client(connection),
      lease: { namespace: "system", name: "lease" },
      identity,
      onLost: (reason) => lost.push(reason),
      clock,
      log: new RecordingLog(),
      random: () => 0,
    });
    electors.push(elector);
    elector.start();
    return { elector, lost };
  }

  const heldBy = (holder: string, more: object = {}) =>
    api.write({ holderIdentity: holder, leaseDurationSeconds: 15, leaseTransitions: 4, ...more });

  it("takes a lease that nobody made yet, and writes who holds it since when", async () => {
    const { elector } = candidate("a");
    await elector.acquired();
    expect(elector.isLeader()).to.equal(true);
    expect(api.lease?.spec).to.deep.equal({
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: "2026-01-01T00:00:00.000000Z",
      renewTime: "2026-01-01T00:00:00.000000Z",
      leaseTransitions: 0,
    });
  });

  it("renews every two seconds, and leads for ten from the last renewal", async () => {
    const { elector } = candidate("a");
    await clock.advance(7000);
    expect(api.lease?.spec).to.include({
      acquireTime: "2026-01-01T00:00:00.000000Z",
      renewTime: "2026-01-01T00:00:06.000000Z",
    });
    expect(elector.deadline()).to.equal(16_000);
  });

  for (const [title, renewTime] of [
    ["long past", "2001-01-01T00:00:00.000000Z"],
    ["far ahead", "2099-01-01T00:00:00.000000Z"],
  ] as const) {
    it(`takes another's lease when it saw it unchanged for 15 s, though its clock is ${title}`, async () => {
      heldBy("b", { renewTime });
      const { elector } = candidate("a");
      await clock.advance(14_999);
      expect(elector.isLeader()).to.equal(false);
      await clock.advance(2_000);
      expect(elector.isLeader()).to.equal(true);
      expect(api.lease?.spec).to.include({ holderIdentity: "a", leaseTransitions: 5 });
    });
  }

  it("leaves a lease alone for as long as its holder renews it", async () => {
    const { elector } = candidate("a");
    await elector.release();
    heldBy("b");
    const waiting = candidate("a").elector;
    for (let renewal = 0; renewal < 10; renewal++) {
      await clock.advance(10_000);
      heldBy("b", { renewTime: `renewal ${renewal}` });
    }
    expect(waiting.isLeader()).to.equal(false);
  });

  for (const state of ["down", "hangs"] as const) {
    it(`may not write any more ten seconds after its last renewal, and says once that it lost, when the API ${state}`, async () => {
      const connection: { state: "up" | "down" | "hangs" } = { state: "up" };
      const { elector, lost } = candidate("a", connection);
      await elector.acquired();
      connection.state = state;
      await clock.advance(9_999);
      elector.fence();
      await clock.advance(1);
      expect(elector.isLeader()).to.equal(false);
      expect(elector.fence).to.throw(NotLeaderError, "a does not hold the lease system/lease");
      await clock.advance(60_000);
      expect(lost).to.deep.equal(["lease system/lease lost: it could not be renewed for 10 s"]);
    });
  }

  it("asks again at once when a renewal got no answer, while there is time left to get one", async () => {
    const connection: Parameters<LeaseApi["client"]>[0] = { state: "up" };
    const { elector } = candidate("a", connection);
    await elector.acquired();
    connection.state = "hangs";
    await clock.advance(6_999); // renewed at 2 s, given up at 7 s
    connection.state = "up";
    await clock.advance(1);
    expect(elector.deadline()).to.equal(17_000);
  });

  it("leads from the moment it asked, not from when the answer came: others may have seen the renewal that early", async () => {
    const connection: Parameters<LeaseApi["client"]>[0] = { state: "up" };
    const { elector } = candidate("a", connection);
    await elector.acquired();
    connection.state = "slow";
    await clock.advance(4_000);
    expect(elector.deadline()).to.equal(12_000);
    connection.state = "up";
  });

  it("gives up at once when somebody else took the lease", async () => {
    const { elector, lost } = candidate("a");
    await elector.acquired();
    heldBy("b");
    await clock.advance(2_000);
    expect(elector.isLeader()).to.equal(false);
    expect(lost).to.deep.equal(["lease system/lease lost: it is held by b"]);
  });

  it("makes the lease again when somebody deleted it", async () => {
    const { elector } = candidate("a");
    await elector.acquired();
    api.lease = undefined;
    await clock.advance(2_000);
    expect(elector.isLeader()).to.equal(true);
    expect(api.lease).to.have.nested.property("spec.holderIdentity", "a");
  });

  it("keeps leading when a renewal was carried out, but its answer was lost", async () => {
    const connection: { state: "up" | "lost" } = { state: "up" };
    const { elector, lost } = candidate("a", connection);
    await elector.acquired();
    connection.state = "lost";
    await clock.advance(2_500);
    connection.state = "up";
    await clock.advance(30_000);
    expect(elector.isLeader()).to.equal(true);
    expect(lost).to.deep.equal([]);
  });

  it("hands the lease over when it is released, without anyone waiting for it to run out", async () => {
    const first = candidate("a");
    await first.elector.acquired();
    const second = candidate("b");
    await clock.advance(1_000);
    await first.elector.release();
    expect(first.elector.isLeader()).to.equal(false);
    expect(first.lost).to.deep.equal([]);
    await clock.advance(2_000);
    expect(second.elector.isLeader()).to.equal(true);
  });

  it("never has two leaders, whatever becomes of their connections", async () => {
    const states = fc.constantFrom("up", "down", "hangs", "lost", "slow");
    const step = fc.record({ who: fc.nat(1), state: states, ms: fc.integer({ min: 1, max: 12_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        clock = new FakeClock();
        api = new LeaseApi(clock);
        const connections: Parameters<LeaseApi["client"]>[0][] = [{ state: "up" }, { state: "up" }];
        const candidates = connections.map((connection, index) => candidate(`candidate-${index}`, connection).elector);
        for (const { who, state, ms } of steps) {
          connections[who]!.state = state;
          for (let passed = 0; passed < ms; passed += 500) {
            await clock.advance(500);
            expect(candidates.filter((elector) => elector.isLeader()).length).to.be.at.most(1);
          }
        }
        for (const connection of connections) connection.state = "up";
        await Promise.all(candidates.map(async (elector) => elector.release()));
      }),
      { numRuns: 60 },
    );
  });
});
