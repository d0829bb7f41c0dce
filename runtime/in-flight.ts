import type { BusyPoll } from "./busy-poll.ts";
import { busy } from "./http/request-error.ts";

/** The predictions that are being answered, whichever protocol they came by. */
export class InFlight {
  readonly #most: number;
  readonly #poll: BusyPoll;
  #count = 0;

  constructor(most: number, poll: BusyPoll) {
    this.#most = most;
    this.#poll = poll;
  }

  get count(): number {
    return this.#count;
  }

  /** `at` is when the request was here, on the clock of `performance.now()`. Each is to `leave` when it is answered. */
  enter(at: number): void {
    if (this.#count === 0) this.#poll.resume(at);
    else this.#poll.overlap();
    this.#count += 1;
  }

  leave(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#poll.pause();
  }

  /** Throws a RequestError (503) when there are too many, the one that asks included. */
  requireRoom(): void {
    if (this.#count > this.#most) throw busy(`${this.#most} predictions are in flight already`, "overloaded");
  }
}
