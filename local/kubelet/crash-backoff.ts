const LONGEST_MS = 300_000;
const RESET_AFTER_MS = 600_000;

/** How long a container that ended waits before it runs again: at once the first time, then `baseMs` doubling to five minutes. */
export class CrashBackoff {
  private readonly baseMs: number;
  private delayMs = 0;

  constructor(baseMs: number) {
    this.baseMs = baseMs;
  }

  /** @param ranMs how long the container had run; after ten minutes it counts as healthy and starts from the beginning */
  next(ranMs: number): number {
    if (ranMs >= RESET_AFTER_MS) this.delayMs = 0;
    const waitMs = this.delayMs;
    this.delayMs = waitMs === 0 ? this.baseMs : Math.min(waitMs * 2, LONGEST_MS);
    return waitMs;
  }
}
