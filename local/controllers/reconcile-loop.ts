import type { Logger } from "pino";

const firstRetryMs = 20;
const lastRetryMs = 10_000;

/**
 * Runs `reconcile` for keys, one at a time: a key that comes again while it waits is run once, while it runs once more
 * afterwards. A failure is logged and tried again, later and later.
 */
export class ReconcileLoop {
  private readonly name: string;
  private readonly reconcile: (key: string) => Promise<void>;
  private readonly logger: Logger;
  private readonly waiting = new Set<string>();
  private readonly delays = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  private readonly failures = new Map<string, number>();
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(name: string, reconcile: (key: string) => Promise<void>, logger: Logger) {
    this.name = name;
    this.reconcile = reconcile;
    this.logger = logger;
  }

  add(key: string): void {
    if (this.stopped) return;
    this.waiting.add(key);
    this.running ??= this.drain().finally(() => {
      this.running = undefined;
    });
  }

  /** Adds the key after a while; the earliest of several wishes counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.stopped) return;
    const due = performance.now() + milliseconds;
    const pending = this.delays.get(key);
    if (pending !== undefined && pending.due <= due) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      this.delays.delete(key);
      this.add(key);
    }, milliseconds);
    this.delays.set(key, { timer, due });
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.waiting.clear();
    for (const { timer } of this.delays.values()) clearTimeout(timer);
    this.delays.clear();
    await this.running;
  }

  private async drain(): Promise<void> {
    await Promise.resolve(); // several keys of one change are taken together
    for (const key of this.waiting) {
      this.waiting.delete(key);
      try {
        await this.reconcile(key);
        this.failures.delete(key);
      } catch (error) {
        if (this.stopped) return;
        const failures = (this.failures.get(key) ?? 0) + 1;
        this.failures.set(key, failures);
        this.logger.debug({ err: error, controller: this.name, key }, "reconciling failed; trying again");
        this.addAfter(key, Math.min(firstRetryMs * 2 ** failures, lastRetryMs));
      }
    }
  }
}
