import type { Clock } from "./clock.ts";
import { higher, PriorityLanes } from "./priority-lanes.ts";
import type { Priority } from "./priority-lanes.ts";
import { RetryLimiter } from "./retry-limiter.ts";

/** Named as the metrics that controller-runtime's dashboards know (workqueue_*). Durations are in seconds. */
export interface WorkQueueMetrics {
  depth(keys: number): void;
  added(): void;
  retried(): void;
  queued(seconds: number): void;
  worked(seconds: number): void;
  /** Given once: asks, whenever metrics are read, for how long the keys now being processed have been so. */
  running(durations: () => number[]): void;
}

/** When a key is to be taken: after how long, in ms, and then before or behind others. */
export interface Turn {
  readonly priority: Priority;
  readonly afterMs?: number;
}

interface WorkQueueOptions {
  clock: Clock;
  metrics?: WorkQueueMetrics;
  limiter?: RetryLimiter;
}

interface Delay {
  readonly due: number;
  readonly timer: Disposable;
  priority: Priority;
}

/**
 * Keys waiting for a worker, after client-go's work queue: a key stands in it once however often it is added, no two
 * workers hold the same key, and a key that is added while a worker holds it comes again when that one is done. As in
 * controller-runtime's, keys of low priority go last.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: WorkQueueMetrics | undefined;
  readonly #limiter: RetryLimiter;
  readonly #queued = new PriorityLanes();
  readonly #processing = new Map<string, { since: number; addedAgain?: Priority }>();
  readonly #delayed = new Map<string, Delay>();
  readonly #waitingWorkers: ((key: string | undefined) => void)[] = [];
  readonly #drained = Promise.withResolvers<void>();
  #shuttingDown = false;

  constructor({ clock, metrics, limiter = new RetryLimiter(clock) }: WorkQueueOptions) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#limiter = limiter;
    metrics?.running(() => [...this.#processing.values()].map(({ since }) => secondsBetween(since, clock.monotonic())));
  }

  /** Keys that wait for a worker; neither those held by one nor those whose time has not come. */
  get length(): number {
    return this.#queued.size;
  }

  /** What is of low priority lets everything else go first, until it is added again with a higher one. */
  add(key: string, priority: Priority = "normal"): void {
    if (this.#shuttingDown) return;
    const held = this.#processing.get(key);
    if (held !== undefined) {
      if (held.addedAgain === undefined) this.#metrics?.added();
      held.addedAgain = higher(held.addedAgain, priority);
    } else if (this.#queued.add(key, priority, this.#clock.monotonic())) {
      this.#metrics?.added();
      this.#handOn();
    }
  }

  /** Adds the key after `ms`, or when it is already due earlier; not at all if a worker takes it before that for another reason. */
  addAfter(key: string, ms: number, priority: Priority = "normal"): void {
    if (this.#shuttingDown) return;
    if (ms <= 0) {
      this.add(key, priority);
      return;
    }
    const due = this.#clock.monotonic() + ms;
    const delayed = this.#delayed.get(key);
    if (delayed && delayed.due <= due) {
      delayed.priority = higher(delayed.priority, priority);
      return;
    }
    delayed?.timer[Symbol.dispose]();
    const delay: Delay = { due, priority: higher(delayed?.priority, priority), timer: this.#addLater(key, ms) };
    this.#delayed.set(key, delay);
  }

  /** Adds the key after its backoff, which grows with each call until `forget`. */
  addRateLimited(key: string): void {
    if (this.#shuttingDown) return;
    this.#metrics?.retried();
    this.addAfter(key, this.#limiter.delay(key));
  }

  /** The key succeeded: its next failure is its first. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** How often the key was retried since it last succeeded. */
  retries(key: string): number {
    return this.#limiter.retries(key);
  }

  /** The next key, for the caller alone until it calls `done`; undefined once the queue has shut down and is empty. */
  async take(): Promise<string | undefined> {
    const key = this.#hand();
    if (key !== undefined || this.#shuttingDown) return key;
    return new Promise((resolve) => this.#waitingWorkers.push(resolve));
  }

  done(key: string): void {
    const held = this.#processing.get(key);
    if (held === undefined) return;
    this.#processing.delete(key);
    this.#metrics?.worked(secondsBetween(held.since, this.#clock.monotonic()));
    if (held.addedAgain !== undefined) {
      this.#queued.add(key, held.addedAgain, this.#clock.monotonic());
      this.#handOn();
    }
    this.#settleDrained();
  }

  /** Takes no more keys, hands out those that it has, and resolves when the last is done. */
  async shutDown(): Promise<void> {
    this.#shuttingDown = true;
    for (const { timer } of this.#delayed.values()) timer[Symbol.dispose]();
    this.#delayed.clear();
    for (const worker of this.#waitingWorkers.splice(0)) worker(undefined);
    this.#settleDrained();
    await this.#drained.promise;
  }

  #addLater(key: string, ms: number): Disposable {
    return this.#clock.setTimeout(() => {
      const priority = this.#delayed.get(key)?.priority;
      this.#delayed.delete(key);
      this.add(key, priority);
    }, ms);
  }

  #handOn(): void {
    this.#metrics?.depth(this.#queued.size);
    this.#waitingWorkers.shift()?.(this.#hand());
  }

  #hand(): string | undefined {
    const next = this.#queued.take();
    if (next === undefined) return undefined;
    this.#cancelDelay(next.key);
    const now = this.#clock.monotonic();
    this.#metrics?.queued(secondsBetween(next.since, now));
    this.#metrics?.depth(this.#queued.size);
    this.#processing.set(next.key, { since: now });
    return next.key;
  }

  /** Whoever takes a key sees all that was to be looked at later. */
  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.timer[Symbol.dispose]();
    this.#delayed.delete(key);
  }

  #settleDrained(): void {
    if (this.#shuttingDown && this.#queued.size === 0 && this.#processing.size === 0) this.#drained.resolve();
  }
}

function secondsBetween(startMs: number, endMs: number): number {
  return (endMs - startMs) / 1000;
}
