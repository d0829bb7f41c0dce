import { destination, pino, stdTimeFunctions } from "pino";
import type { Logger } from "pino";

/**
 * JSON lines, written at once, so that the line before an exit is never lost: on stdout, or on stderr where stdout is for
 * predictions, whose reader may be slow.
 */
export function createLogger(level: string, stdoutIsTaken = false): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: stdoutIsTaken ? 2 : 1, sync: true }),
  );
}
