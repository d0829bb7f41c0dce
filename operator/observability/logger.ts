import { type DestinationStream, type Logger, pino } from "pino";
import type { LogArea, LogLevels } from "./log-levels.ts";

export type Loggers = Readonly<Record<LogArea | "operator", Logger>>;

/**
 * JSON lines with RFC 3339 times and level names; errors under `err`, with their causes. The areas' lines say which one
 * they are from. Written to stdout by default.
 */
export function createLoggers({ common, areas }: LogLevels, destination?: DestinationStream): Loggers {
  const options = {
    level: common,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const operator = destination === undefined ? pino(options) : pino(options, destination);
  const of = (area: LogArea): Logger => operator.child({ area }, { level: areas[area] ?? common });
  return { operator, kube: of("kube"), reconcile: of("reconcile"), election: of("election") };
}
