import type { Clock } from "./clock.ts";

interface TokenBucketOptions {
  capacity: number;
  refillPerSecond: number;
}

/** Starts full. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #refillPerMs: number;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, { capacity, refillPerSecond }: TokenBucketOptions) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#refillPerMs = refillPerSecond / 1000;
    this.#tokens = capacity;
    this.#filledAt = clock.monotonic();
  }

  /** Takes a token now, if there is one. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes a token in any case, and says in how many ms it may be used. */
  reserve(): number {
    this.#refill();
    this.#tokens -= 1;
    return Math.max(0, -this.#tokens / this.#refillPerMs);
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#refillPerMs);
    this.#filledAt = now;
  }
}
