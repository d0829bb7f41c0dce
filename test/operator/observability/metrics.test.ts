import { expect } from "chai";
import { createMetrics } from "../../../operator/observability/metrics.ts";

describe("createMetrics", () => {
  async function value(metrics: ReturnType<typeof createMetrics>, line: string): Promise<number | undefined> {
    const found = (await metrics.registry.metrics()).split("\n").find((candidate) => candidate.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length));
  }

  it("has a registry of its own each time", async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    one.leaderElection("slipway").leading(true);
    expect(await value(one, 'leader_election_master_status{name="slipway"}')).to.equal(1);
    expect(await value(two, 'leader_election_master_status{name="slipway"}')).to.equal(undefined);
  });

  it("counts requests by code, method and host", async () => {
    const metrics = createMetrics();
    metrics.transport.requestFinished("409", "PATCH", "10.96.0.1:443");
    const line = 'rest_client_requests_total{code="409",method="PATCH",host="10.96.0.1:443"}';
    expect(await value(metrics, line)).to.equal(1);
  });

  it("measures a work queue", async () => {
    const metrics = createMetrics();
    const queue = metrics.workQueue("mdep");
    let running = [2, 5];
    queue.running(() => running);
    queue.depth(3);
    queue.added();
    queue.retried();
    queue.queued(0.5);
    queue.worked(1.5);
    const labels = '{name="mdep",controller="mdep"}';
    expect(await value(metrics, `workqueue_depth${labels}`)).to.equal(3);
    expect(await value(metrics, `workqueue_adds_total${labels}`)).to.equal(1);
    expect(await value(metrics, `workqueue_retries_total${labels}`)).to.equal(1);
    expect(await value(metrics, `workqueue_queue_duration_seconds_sum${labels}`)).to.equal(0.5);
    expect(await value(metrics, `workqueue_work_duration_seconds_sum${labels}`)).to.equal(1.5);
    expect(await value(metrics, `workqueue_unfinished_work_seconds${labels}`)).to.equal(7);
    expect(await value(metrics, `workqueue_longest_running_processor_seconds${labels}`)).to.equal(5);
    running = [];
    expect(await value(metrics, `workqueue_longest_running_processor_seconds${labels}`)).to.equal(0);
  });

  it("shows every reconcile outcome from the start, and counts errors twice as controller-runtime does", async () => {
    const metrics = createMetrics();
    const controller = metrics.controller("mdep");
    controller.workers(4);
    controller.activeWorkers(1);
    expect(await value(metrics, 'controller_runtime_reconcile_total{controller="mdep",result="error"}')).to.equal(0);
    controller.reconciled("error", 0.25);
    expect(await value(metrics, 'controller_runtime_reconcile_total{controller="mdep",result="error"}')).to.equal(1);
    expect(await value(metrics, 'controller_runtime_reconcile_errors_total{controller="mdep"}')).to.equal(1);
    expect(await value(metrics, 'controller_runtime_reconcile_time_seconds_sum{controller="mdep"}')).to.equal(0.25);
    expect(await value(metrics, 'controller_runtime_max_concurrent_reconciles{controller="mdep"}')).to.equal(4);
    expect(await value(metrics, 'controller_runtime_active_workers{controller="mdep"}')).to.equal(1);
  });

  it("tells about the process", async () => {
    expect(await value(createMetrics(), "process_resident_memory_bytes")).to.be.above(1e6);
  });
});
