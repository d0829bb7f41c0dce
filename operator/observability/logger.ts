import { type DestinationStream, type Logger, pino } from "pino";

type LogLevel = "debug" | "info" | "warn" | "error";

/** JSON lines with RFC 3339 times and level names; errors under `err`, with their causes. Written to stdout by default. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
