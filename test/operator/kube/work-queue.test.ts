import { expect } from "chai";
import * as fc from "fast-check";
import { RetryLimiter } from "../../../operator/kube/retry-limiter.ts";
import { WorkQueue } from "../../../operator/kube/work-queue.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("WorkQueue", () => {
  let clock: FakeClock;
  let queue: WorkQueue;

  beforeEach(() => {
    clock = new FakeClock();
    queue = new WorkQueue({ clock });
  });

  it("hands keys out in the order in which they came", async () => {
    for (const key of ["b", "a", "c"]) queue.add(key);
    expect([await queue.take(), await queue.take(), await queue.take()]).to.deep.equal(["b", "a", "c"]);
  });

  it("holds a key once however often it is added", async () => {
    for (const key of ["a", "a", "b", "a"]) queue.add(key);
    expect(queue.length).to.equal(2);
  });

  it("gives a key that is added while a worker holds it to nobody else, and again once that one is done", async () => {
    queue.add("a");
    const held = await queue.take();
    queue.add("a");
    queue.add("a");
    expect(queue.length).to.equal(0);
    queue.done("a");
    expect([held, await queue.take()]).to.deep.equal(["a", "a"]);
    queue.done("a");
    expect(queue.length).to.equal(0);
  });

  it("hands a changed object out before a thousand new ones", async () => {
    for (let index = 0; index < 1000; index += 1) queue.add(`new-${index}`, "low");
    queue.add("changed");
    expect([await queue.take(), await queue.take()]).to.deep.equal(["changed", "new-0"]);
  });

  it("gives a key that changed while a worker holds it back with the higher of its priorities", async () => {
    queue.add("a");
    await queue.take();
    for (const priority of ["low", "normal", "low"] as const) queue.add("a", priority);
    queue.add("new", "low");
    queue.done("a");
    expect([await queue.take(), await queue.take()]).to.deep.equal(["a", "new"]);
  });

  it("wakes a worker that waits", async () => {
    const waiting = queue.take();
    queue.add("a");
    expect(await waiting).to.equal("a");
  });

  it("adds a key after its delay, and not before", async () => {
    queue.addAfter("a", 1000);
    await clock.advance(999);
    expect(queue.length).to.equal(0);
    await clock.advance(1);
    expect(queue.length).to.equal(1);
  });

  for (const [title, delays] of [
    ["first", [1000, 5000]],
    ["last", [5000, 1000]],
  ] as const) {
    it(`keeps the earliest of several delays when it comes ${title}, and adds the key once`, async () => {
      for (const ms of delays) queue.addAfter("a", ms);
      await clock.advance(1000);
      expect(await queue.take()).to.equal("a");
      queue.done("a");
      await clock.advance(10_000);
      expect(queue.length).to.equal(0);
    });
  }

  it("does not add again what a worker took before its delay was over", async () => {
    queue.addAfter("a", 1000);
    queue.add("a");
    expect(await queue.take()).to.equal("a");
    queue.done("a");
    await clock.advance(1000);
    expect(queue.length).to.equal(0);
    expect(clock.pendingTimers).to.equal(0);
  });

  it("adds again what was delayed while a worker held it", async () => {
    queue.add("a");
    await queue.take();
    queue.addAfter("a", 1000);
    queue.done("a");
    await clock.advance(1000);
    expect(await queue.take()).to.equal("a");
  });

  it("gives a delayed key the higher of the priorities with which it was delayed", async () => {
    queue.addAfter("a", 1000, "normal");
    queue.addAfter("a", 500, "low");
    queue.addAfter("b", 1000, "low");
    queue.add("new", "low");
    await clock.advance(1000);
    expect([await queue.take(), await queue.take(), await queue.take()]).to.deep.equal(["a", "new", "b"]);
  });

  it("adds at once what is due already", () => {
    queue.addAfter("a", 0);
    expect(queue.length).to.equal(1);
  });

  it("doubles a key's wait from 5 ms to 1000 s, and begins anew when the key is forgotten", () => {
    const limiter = new RetryLimiter(clock);
    const waits = Array.from({ length: 20 }, () => limiter.delay("a"));
    expect(waits.slice(0, 4)).to.deep.equal([5, 10, 20, 40]);
    expect(waits.slice(-3)).to.deep.equal([655_360, 1_000_000, 1_000_000]);
    expect(limiter.retries("a")).to.equal(20);
    limiter.forget("a");
    expect(limiter.delay("a")).to.equal(5);
  });

  it("lets no more than 10 retries a second through, beyond a first hundred", async () => {
    for (let key = 0; key < 150; key++) queue.addRateLimited(`key-${key}`);
    await clock.advance(99);
    expect(queue.length).to.equal(100);
    await clock.advance(1001);
    expect(queue.length).to.equal(111);
    await clock.advance(4000);
    expect(queue.length).to.equal(150);
  });

  it("hands out what it has when it shuts down, then ends its workers, and resolves when the last key is done", async () => {
    queue.add("held");
    await queue.take();
    queue.add("queued");
    queue.addAfter("delayed", 10);
    let drained = false;
    const shutDown = queue.shutDown().then(() => (drained = true));
    queue.add("late");

    expect(await queue.take()).to.equal("queued");
    expect(await queue.take()).to.equal(undefined);
    queue.done("queued");
    await clock.advance(1000);
    expect(drained).to.equal(false);
    queue.done("held");
    await shutDown;
    expect(clock.pendingTimers).to.equal(0);
  });

  it("ends workers that wait when it shuts down", async () => {
    const waiting = [queue.take(), queue.take()];
    await queue.shutDown();
    expect(await Promise.all(waiting)).to.deep.equal([undefined, undefined]);
  });

  it("tells its metrics how many keys wait, how long they did, and how long workers hold them", async () => {
    const told: [string, number][] = [];
    let running = (): number[] => [];
    const measured = new WorkQueue({
      clock,
      metrics: {
        depth: (keys) => told.push(["depth", keys]),
        added: () => told.push(["added", 1]),
        retried: () => told.push(["retried", 1]),
        queued: (seconds) => told.push(["queued", seconds]),
        worked: (seconds) => told.push(["worked", seconds]),
        running: (durations) => (running = durations),
      },
    });
    measured.add("a");
    measured.add("a");
    await clock.advance(2000);
    await measured.take();
    await clock.advance(3000);
    expect(running()).to.deep.equal([3]);
    measured.add("a");
    measured.add("a");
    measured.done("a");
    await measured.take();
    measured.done("a");
    expect(running()).to.deep.equal([]);
    measured.addRateLimited("a");
    expect(told).to.deep.equal([
      ["added", 1],
      ["depth", 1],
      ["queued", 2],
      ["depth", 0],
      ["added", 1],
      ["worked", 3],
      ["depth", 1],
      ["queued", 0],
      ["depth", 0],
      ["worked", 0],
      ["retried", 1],
    ]);
  });

  it("never gives one key to two workers, and loses none, whatever the order of adding, taking and finishing", async () => {
    const action = fc.oneof(
      fc.record({
        do: fc.constant("add" as const),
        key: fc.constantFrom("a", "b", "c"),
        priority: fc.constantFrom("normal" as const, "low" as const),
      }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("done" as const), nth: fc.nat(2) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const tested = new WorkQueue({ clock });
        const held: string[] = [];
        const owed = new Set<string>();
        for (const step of actions) {
          if (step.do === "add") {
            tested.add(step.key, step.priority);
            owed.add(step.key);
          } else if (step.do === "done") {
            const [key] = held.splice(step.nth, 1);
            if (key !== undefined) tested.done(key);
          } else if (tested.length > 0) {
            const key = (await tested.take()) ?? "";
            expect(held).not.to.include(key);
            held.push(key);
            owed.delete(key);
          }
        }
        for (const key of held) tested.done(key);
        while (tested.length > 0) owed.delete((await tested.take()) ?? "");
        expect([...owed]).to.deep.equal([]);
      }),
    );
  });
});
