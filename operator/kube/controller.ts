import { setImmediate } from "node:timers/promises";
import type { Clock } from "./clock.ts";
import { isConflict } from "./errors.ts";
import type { Log } from "./log.ts";
import { formatKey, parseKey, type ObjectKey } from "./objects.ts";
import type { Priority } from "./priority-lanes.ts";
import type { Turn, WorkQueue } from "./work-queue.ts";

/** What a reconcile wants next: nothing until something changes, or another look after a while. */
export interface ReconcileResult {
  requeueAfterMs?: number;
  /** Of that look; default "normal". */
  priority?: Priority;
}

type ReconcileOutcome = "success" | "error" | "requeue_after";

/** Named as the metrics that controller-runtime's dashboards know (controller_runtime_*). */
export interface ControllerMetrics {
  workers(count: number): void;
  activeWorkers(count: number): void;
  reconciled(outcome: ReconcileOutcome, seconds: number): void;
}

interface ControllerOptions {
  queue: WorkQueue;
  reconcile: (key: ObjectKey) => Promise<ReconcileResult>;
  workers: number;
  clock: Clock;
  log: Log;
  metrics?: ControllerMetrics;
}

/** Workers that take keys from the queue and reconcile them: a failure is logged and retried with backoff. */
export class Controller {
  readonly #options: ControllerOptions;
  #activeWorkers = 0;
  #stopping = false;
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    options.metrics?.workers(options.workers);
  }

  enqueue(key: ObjectKey, { priority, afterMs = 0 }: Turn = { priority: "normal" }): void {
    this.#options.queue.addAfter(formatKey(key), afterMs, priority);
  }

  get isStarted(): boolean {
    return this.#workers.length > 0;
  }

  start(): void {
    this.#workers = Array.from({ length: this.#options.workers }, () => this.#work());
  }

  /** Resolves when the reconciles under way have ended; those not begun are left: the next start lists everything anyway. */
  async stop(): Promise<void> {
    this.#stopping = true;
    // One that never led has keys and nobody to take them.
    if (!this.isStarted) this.#workers = [this.#work()];
    await Promise.all([this.#options.queue.shutDown(), ...this.#workers]);
  }

  async #work(): Promise<void> {
    const { queue, metrics } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      metrics?.activeWorkers(++this.#activeWorkers);
      if (!this.#stopping) await this.#reconcile(key);
      metrics?.activeWorkers(--this.#activeWorkers);
      queue.done(key);
      // A reconcile that finds nothing to do waits for nothing: thousands in a row would keep the lease from its renewal.
      await setImmediate();
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { queue, reconcile, clock, log, metrics } = this.#options;
    const started = clock.monotonic();
    const finished = (outcome: ReconcileOutcome) => metrics?.reconciled(outcome, (clock.monotonic() - started) / 1000);
    try {
      const { requeueAfterMs, priority } = await reconcile(parseKey(key));
      queue.forget(key);
      if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs, priority);
      finished(requeueAfterMs === undefined ? "success" : "requeue_after");
    } catch (error) {
      queue.addRateLimited(key);
      finished("error");
      const fields = { ...parseKey(key), err: error, retries: queue.retries(key) };
      if (isConflict(error)) log.debug(fields, "object changed during its reconcile, which will be repeated");
      else log.error(fields, "reconcile failed, will be retried");
    }
  }
}
