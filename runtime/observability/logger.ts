import { destination, pino, stdTimeFunctions } from "pino";
import type { Logger } from "pino";

/** JSON lines on stdout, written at once, so that the line before an exit is never lost. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 1, sync: true }),
  );
}
