interface Backoff {
  baseMs: number;
  maxMs: number;
}

/** The wait before the `attempt`-th retry (from 1): doubling, capped, and spread over its upper half so that clients do not return in step. */
export function backoffWithJitter({ baseMs, maxMs }: Backoff, attempt: number, random: () => number): number {
  const full = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
  return full * (0.5 + random() / 2);
}
