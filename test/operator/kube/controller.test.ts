import { expect } from "chai";
import { Controller, type ControllerMetrics, type ReconcileResult } from "../../../operator/kube/controller.ts";
import { KubeError } from "../../../operator/kube/errors.ts";
import type { ObjectKey } from "../../../operator/kube/objects.ts";
import { WorkQueue } from "../../../operator/kube/work-queue.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RecordingLog } from "./recording-log.ts";

describe("Controller", () => {
  const key = { namespace: "credit", name: "loan" };
  let clock: FakeClock;
  let log: RecordingLog;

  beforeEach(() => {
    clock = new FakeClock();
    log = new RecordingLog();
  });

  function controller(
    reconcile: (key: ObjectKey) => Promise<ReconcileResult>,
    workers = 1,
    metrics?: ControllerMetrics,
  ) {
    const queue = new WorkQueue({ clock });
    const made = new Controller({ queue, reconcile, workers, clock, log, ...(metrics && { metrics }) });
    made.start();
    return made;
  }

  it("reconciles what is enqueued, with its namespace and name", async () => {
    const seen: ObjectKey[] = [];
    const tested = controller(async (reconciled) => {
      seen.push(reconciled);
      return {};
    });
    tested.enqueue(key);
    await clock.advance(0);
    await tested.stop();
    expect(seen).to.deep.equal([key]);
  });

  it("lets timers and sockets have their turn between reconciles that wait for nothing", async () => {
    const keys = Array.from({ length: 50 }, (_, index) => ({ ...key, name: `loan-${index}` }));
    let turns = 0;
    const seenAt: number[] = [];
    const tested = controller(async () => {
      seenAt.push(turns);
      return {};
    }, 8);
    const done = Promise.withResolvers<void>();
    const immediate = (): void => {
      turns += 1;
      if (seenAt.length === keys.length) done.resolve();
      else setImmediate(immediate);
    };
    setImmediate(immediate);
    for (const each of keys) tested.enqueue(each);
    await done.promise;
    await tested.stop();
    expect(new Set(seenAt).size, "turns of the event loop").to.be.at.least(keys.length / 8);
  });

  it("looks again when a reconcile asked for it", async () => {
    const times: number[] = [];
    const tested = controller(async () => {
      times.push(clock.monotonic());
      return times.length < 3 ? { requeueAfterMs: 5000 } : {};
    });
    tested.enqueue(key);
    await clock.advance(60_000);
    await tested.stop();
    expect(times).to.deep.equal([0, 5000, 10_000]);
  });

  it("looks again behind others when a reconcile asked for that", async () => {
    const [one, other, changed] = ["one", "other", "changed"].map((name) => ({ ...key, name }));
    const seen: string[] = [];
    const tested = controller(async ({ name }) => {
      seen.push(name);
      if (seen.length === 1) tested.enqueue(changed!);
      return seen.length === 1 ? { requeueAfterMs: 0, priority: "low" } : {};
    });
    for (const each of [one, other]) tested.enqueue(each!, { priority: "low" });
    await eventually(() => expect(seen).to.deep.equal(["one", "changed", "other", "one"]));
    await tested.stop();
  });

  it("retries failures with backoff, says so, and starts over once one succeeded", async () => {
    const times: number[] = [];
    const tested = controller(async () => {
      times.push(clock.monotonic());
      if (times.length === 4) return { requeueAfterMs: 1000 };
      if (times.length < 6) throw new Error("no luck");
      return {};
    });
    tested.enqueue(key);
    await clock.advance(60_000);
    await tested.stop();
    expect(times).to.deep.equal([0, 5, 15, 35, 1035, 1040]);
    expect(log.lines.map(({ level, message }) => `${level}: ${message}`)[0]).to.equal(
      "error: reconcile failed, will be retried",
    );
    expect(log.lines[2]!.fields).to.include({ namespace: "credit", name: "loan", retries: 3 });
  });

  it("is quiet about conflicts: they are how concurrent writers meet", async () => {
    let attempts = 0;
    const tested = controller(async () => {
      if (++attempts === 1) throw new KubeError("modified", { status: 409, reason: "Conflict" });
      return {};
    });
    tested.enqueue(key);
    await clock.advance(1000);
    await tested.stop();
    expect(attempts).to.equal(2);
    expect(log.lines.map(({ level }) => level)).to.deep.equal(["debug"]);
  });

  it("works on several objects at once, but never on one twice", async () => {
    const running = new Map<string, number>();
    let most = 0;
    const tested = controller(async ({ name }) => {
      running.set(name, (running.get(name) ?? 0) + 1);
      most = Math.max(most, running.size);
      expect(running.get(name)).to.equal(1);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 100));
      running.delete(name);
      return {};
    }, 2);
    for (const name of ["a", "b", "c"]) tested.enqueue({ namespace: "credit", name });
    await clock.advance(50);
    tested.enqueue({ namespace: "credit", name: "a" });
    await clock.advance(1000);
    await tested.stop();
    expect(most).to.equal(2);
    expect(log.lines).to.deep.equal([]);
  });

  it("stops although it never started, with keys that nobody took", async () => {
    const seen: ObjectKey[] = [];
    const reconcile = async (reconciled: ObjectKey): Promise<ReconcileResult> => {
      seen.push(reconciled);
      return {};
    };
    const tested = new Controller({ queue: new WorkQueue({ clock }), reconcile, workers: 1, clock, log });
    tested.enqueue(key);
    await tested.stop();
    expect(seen).to.deep.equal([]);
  });

  it("stops when what it began has ended, and begins nothing more", async () => {
    const began: string[] = [];
    let finish = () => {};
    const tested = controller(async ({ name }) => {
      began.push(name);
      await new Promise<void>((resolve) => (finish = resolve));
      return {};
    });
    for (const name of ["a", "b"]) tested.enqueue({ namespace: "credit", name });
    await clock.advance(0);
    let stopped = false;
    const stopping = tested.stop().then(() => (stopped = true));
    await clock.advance(0);
    expect(stopped).to.equal(false);
    finish();
    await stopping;
    expect(began).to.deep.equal(["a"]);
  });

  it("counts its outcomes and its busy workers", async () => {
    const told: (string | number)[] = [];
    const metrics: ControllerMetrics = {
      workers: (count) => told.push(`of ${count}`),
      activeWorkers: (count) => told.push(count),
      reconciled: (outcome) => told.push(outcome),
    };
    const outcomes = [
      async () => ({}),
      async () => ({ requeueAfterMs: 1 }),
      async () => Promise.reject(new Error("no")),
    ];
    const tested = controller(async () => outcomes.shift()?.() ?? {}, 3, metrics);
    tested.enqueue(key);
    await clock.advance(0);
    tested.enqueue(key);
    await clock.advance(20);
    await tested.stop();
    expect(told).to.deep.equal(["of 3", 1, "success", 0, 1, "requeue_after", 0, 1, "error", 0, 1, "success", 0]);
  });
});
