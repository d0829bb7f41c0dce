import { setTimeout as delay } from "node:timers/promises";

import type { Logger } from "pino";

import { LoadError } from "../load-error.ts";

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 400;

/**
 * Tries again, ever later, while the failure is not permanent. Attempts that advanced do not count: a slow link that
 * breaks every minute still brings a large file here. Throws the last LoadError, or the signal's reason.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  logger: Logger,
  signal: AbortSignal,
  advanced = (): boolean => false,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (advanced()) tried = 1;
      if (!(error instanceof LoadError) || error.permanent || tried === ATTEMPTS) throw error;
      const wait = FIRST_DELAY_MS * 2 ** (tried - 1) * (0.75 + Math.random() / 2);
      logger.warn({ reason: error.reason, attempt: tried, of: ATTEMPTS, wait_ms: Math.round(wait) }, error.message);
      await delay(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
