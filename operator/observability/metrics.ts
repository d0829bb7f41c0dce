import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ControllerMetrics } from "../kube/controller.ts";
import type { LeaderElectionMetrics } from "../kube/leader-election.ts";
import type { TransportMetrics } from "../kube/transport.ts";
import type { WorkQueueMetrics } from "../kube/work-queue.ts";

/** The operator's own metrics, under the names that controller-runtime's dashboards and alerts know. */
interface OperatorMetrics {
  registry: Registry;
  transport: TransportMetrics;
  workQueue(name: string): WorkQueueMetrics;
  controller(name: string): ControllerMetrics;
  leaderElection(name: string): LeaderElectionMetrics;
}

/** 10 ns to 10 s in client-go; below a microsecond this clock sees nothing. */
const queueBuckets = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10];
const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];

export function createMetrics(): OperatorMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    transport: transportMetrics(registry),
    workQueue: workQueueMetrics(registry),
    controller: controllerMetrics(registry),
    leaderElection: leaderElectionMetrics(registry),
  };
}

function transportMetrics(registry: Registry): TransportMetrics {
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Number of HTTP requests to the API server, partitioned by status code, method, and host.",
    labelNames: ["code", "method", "host"],
    registers: [registry],
  });
  return { requestFinished: (code, method, host) => requests.inc({ code, method, host }) };
}

function workQueueMetrics(registry: Registry): (name: string) => WorkQueueMetrics {
  const registers = [registry];
  const labelNames = ["name", "controller"] as const;
  const running = new Map<string, () => number[]>();
  const buckets = queueBuckets;

  const depth = new Gauge({ name: "workqueue_depth", help: "Keys waiting for a worker.", labelNames, registers });
  const adds = new Counter({ name: "workqueue_adds_total", help: "Keys added.", labelNames, registers });
  const retries = new Counter({
    name: "workqueue_retries_total",
    help: "Keys added for a retry.",
    labelNames,
    registers,
  });
  const queued = new Histogram({
    name: "workqueue_queue_duration_seconds",
    help: "How long a key waited for a worker.",
    labelNames,
    buckets,
    registers,
  });
  const worked = new Histogram({
    name: "workqueue_work_duration_seconds",
    help: "How long a worker held a key.",
    labelNames,
    buckets,
    registers,
  });
  const measureRunning = (gauge: Gauge<"name" | "controller">, measure: (durations: number[]) => number) => {
    for (const [name, durations] of running) gauge.set({ name, controller: name }, measure(durations()));
  };
  const unfinished = new Gauge({
    name: "workqueue_unfinished_work_seconds",
    help: "Sum of how long the keys now held by workers have been so; it grows when workers are stuck.",
    labelNames,
    registers: [],
    collect() {
      measureRunning(this, (durations) => durations.reduce((sum, seconds) => sum + seconds, 0));
    },
  });
  const longest = new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "How long the longest held key has been so.",
    labelNames,
    registers: [],
    collect() {
      measureRunning(this, (durations) => Math.max(0, ...durations));
    },
  });
  for (const gauge of [unfinished, longest]) registry.registerMetric(gauge);

  return (name) => {
    const labels = { name, controller: name };
    adds.inc(labels, 0);
    retries.inc(labels, 0);
    depth.set(labels, 0);
    return {
      depth: (keys) => depth.set(labels, keys),
      added: () => adds.inc(labels),
      retried: () => retries.inc(labels),
      queued: (seconds) => queued.observe(labels, seconds),
      worked: (seconds) => worked.observe(labels, seconds),
      running: (durations) => running.set(name, durations),
    };
  };
}

function controllerMetrics(registry: Registry): (name: string) => ControllerMetrics {
  const registers = [registry];
  const reconciles = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Reconciles by outcome.",
    labelNames: ["controller", "result"] as const,
    registers,
  });
  const errors = new Counter({
    name: "controller_runtime_reconcile_errors_total",
    help: "Reconciles that failed.",
    labelNames: ["controller"] as const,
    registers,
  });
  const seconds = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "How long a reconcile took.",
    labelNames: ["controller"] as const,
    buckets: reconcileBuckets,
    registers,
  });
  const active = new Gauge({
    name: "controller_runtime_active_workers",
    help: "Workers that are reconciling now.",
    labelNames: ["controller"] as const,
    registers,
  });
  const maximum = new Gauge({
    name: "controller_runtime_max_concurrent_reconciles",
    help: "Workers that there are.",
    labelNames: ["controller"] as const,
    registers,
  });

  return (controller) => {
    // Present from the start, so that the first failure is an increase to an alert, and not a new series.
    for (const result of ["success", "error", "requeue", "requeue_after"]) reconciles.inc({ controller, result }, 0);
    errors.inc({ controller }, 0);
    active.set({ controller }, 0);
    return {
      workers: (count) => maximum.set({ controller }, count),
      activeWorkers: (count) => active.set({ controller }, count),
      reconciled: (result, duration) => {
        reconciles.inc({ controller, result });
        if (result === "error") errors.inc({ controller });
        seconds.observe({ controller }, duration);
      },
    };
  };
}

function leaderElectionMetrics(registry: Registry): (name: string) => LeaderElectionMetrics {
  const master = new Gauge({
    name: "leader_election_master_status",
    help: "1 where this process leads, 0 where it waits for the lease.",
    labelNames: ["name"],
    registers: [registry],
  });
  return (name) => ({ leading: (isLeader) => master.set({ name }, isLeader ? 1 : 0) });
}
