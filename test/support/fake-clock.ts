import type { Clock } from "../../operator/kube/clock.ts";

interface FakeTimer extends Disposable {
  due: number;
  callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new Set<FakeTimer>();
  #elapsed = 0;

  constructor(startedAt = Date.UTC(2026, 0, 1)) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#startedAt + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimeout(callback: () => void, ms: number): Disposable {
    const timer: FakeTimer = {
      due: this.#elapsed + ms,
      callback,
      [Symbol.dispose]: () => this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves on by `ms`, calling each timer at its time, and lets promises that these settle run on. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await turnOfTheEventLoop();
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      this.#elapsed = Math.max(this.#elapsed, next.due);
      this.#timers.delete(next);
      next.callback();
      await turnOfTheEventLoop();
    }
    this.#elapsed = end;
  }

  #nextDue(end: number): FakeTimer | undefined {
    return [...this.#timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
  }
}

/** Every promise that is already settled has run its continuations by then. */
async function turnOfTheEventLoop(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
