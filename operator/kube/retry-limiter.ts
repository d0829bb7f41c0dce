import type { Clock } from "./clock.ts";
import { TokenBucket } from "./token-bucket.ts";

const firstDelayMs = 5;
const longestDelayMs = 1_000_000;

/** How long a failed key waits: 5 ms doubling to 1000 s for that key, and at most 10 retries a second (100 at once) for all. */
export class RetryLimiter {
  readonly #retries = new Map<string, number>();
  readonly #overall: TokenBucket;

  constructor(clock: Clock) {
    this.#overall = new TokenBucket(clock, { capacity: 100, refillPerSecond: 10 });
  }

  /** Milliseconds; each call counts as one retry. */
  delay(key: string): number {
    const retries = this.retries(key);
    this.#retries.set(key, retries + 1);
    return Math.max(Math.min(longestDelayMs, firstDelayMs * 2 ** retries), this.#overall.reserve());
  }

  retries(key: string): number {
    return this.#retries.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#retries.delete(key);
  }
}
