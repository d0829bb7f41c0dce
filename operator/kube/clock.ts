/** Time as the rest of the program may see it, so that tests can move it by hand. */
export interface Clock {
  /** Wall time in ms since the epoch: for timestamps that others read, never for measuring durations. */
  now(): number;
  /** Milliseconds since an arbitrary start; it never jumps. For durations and deadlines. */
  monotonic(): number;
  /** Calls back once after `ms`; disposing of the timer cancels it. */
  setTimeout(callback: () => void, ms: number): Disposable;
}

// Node fires a longer timeout at once instead of late.
const longestTimeoutMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(ms, longestTimeoutMs)),
};

/** Resolves after `ms`, or as soon as `signal` aborts: the caller looks at the signal. */
export async function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const wake = () => {
      timer[Symbol.dispose]();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = clock.setTimeout(wake, ms);
    signal?.addEventListener("abort", wake, { once: true });
  });
}
