/** After so many requests that came soon after the answer before, the next one is likely to do so too. */
const IN_A_ROW = 8;

interface BusyPollOptions {
  /** How long a pause is looked through, in milliseconds; 0 for never. */
  readonly longestMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Calls back in the event loop's next turn, and keeps it from sleeping until then. */
  readonly nextTurn: (poll: () => void) => void;
}

/**
 * Looks for the next request without sleeping while each comes soon after the answer before, as from a client that asks
 * one thing after the other: putting a process to sleep and waking it, with its caches cold, takes as long as a small
 * model. After a single longer pause, or two requests at a time, it sleeps again until enough came in a row: requests
 * that gather while it sleeps share a run. So an idle process costs nothing, a busy one loses nothing, and one pause in
 * nine at most is looked through in vain. Linux does likewise for idle virtual machines
 * (Documentation/virt/guest-halt-polling.rst).
 */
export class BusyPoll {
  readonly #options: BusyPollOptions;
  #inARow = 0;
  #pausedAt = Number.NEGATIVE_INFINITY;
  #isPaused = true;
  #isPolling = false;

  constructor(options: BusyPollOptions) {
    this.#options = options;
  }

  /** A request is here, as of `at` on the clock of `now`, and none was. */
  resume(at: number): void {
    this.#isPaused = false;
    this.#inARow = at - this.#pausedAt < this.#options.longestMs ? this.#inARow + 1 : 0;
  }

  /** Another request is here while one is being answered. */
  overlap(): void {
    this.#inARow = 0;
  }

  /** All requests are answered. */
  pause(): void {
    this.#isPaused = true;
    this.#pausedAt = this.#options.now();
    if (this.#inARow < IN_A_ROW || this.#isPolling) return;
    this.#isPolling = true;
    this.#options.nextTurn(this.#poll);
  }

  readonly #poll = (): void => {
    const { longestMs, now, nextTurn } = this.#options;
    this.#isPolling = this.#isPaused && now() - this.#pausedAt < longestMs;
    if (this.#isPolling) nextTurn(this.#poll);
  };
}
