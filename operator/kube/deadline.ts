import type { Clock } from "./clock.ts";

/** One signal that aborts with the caller's reason when the caller does, or with `expired()` after `ms`. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #startTimer: () => Disposable;
  #timer: Disposable;
  readonly #caller: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#caller?.reason);

  constructor(clock: Clock, ms: number, caller: AbortSignal | undefined, expired: () => Error) {
    this.#startTimer = () => clock.setTimeout(() => this.#controller.abort(expired()), ms);
    this.#timer = this.#startTimer();
    this.#caller = caller;
    if (caller?.aborted) this.#abort();
    caller?.addEventListener("abort", this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** For work that takes no signal itself: rejects at the deadline, and leaves the work behind. */
  async bound<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      this.signal.removeEventListener("abort", abort);
    }
  }

  /** There was a sign of life: the time runs from now. */
  restart(): void {
    this.lift();
    this.#timer = this.#startTimer();
  }

  /** From here on only the caller aborts. */
  lift(): void {
    this.#timer[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.lift();
    this.#caller?.removeEventListener("abort", this.#abort);
  }
}
