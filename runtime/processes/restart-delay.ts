const FIRST_MS = 100;
const MOST_MS = 30_000;
/** A process that lived this long did not end for the same reason again. */
const STEADY_MS = 60_000;

/** How long to wait before a process takes the place of one that ended, the ever longer the more did so soon after their start. */
export function restartDelay(before: number, livedMs: number): { delayMs: number; restarts: number } {
  const restarts = livedMs >= STEADY_MS ? 0 : before;
  return { delayMs: Math.min(FIRST_MS * 2 ** restarts, MOST_MS), restarts: restarts + 1 };
}
