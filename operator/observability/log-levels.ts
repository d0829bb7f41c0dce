const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** kube: watches, requests, Events. reconcile: what is done about objects. election: the Lease. */
const AREAS = ["kube", "reconcile", "election"] as const;
export type LogArea = (typeof AREAS)[number];

export interface LogLevels {
  /** Of all that has no level of its own. */
  readonly common: LogLevel;
  readonly areas: Readonly<Partial<Record<LogArea, LogLevel>>>;
}

/** `info,kube=debug`: a level for all, and levels for areas. Throws a RangeError that lists what there is. */
export function parseLogLevels(text: string): LogLevels {
  let common: LogLevel = "info";
  const areas: Partial<Record<LogArea, LogLevel>> = {};
  for (const part of text.split(",")) {
    const [, area, level] = /^(?:(.*)=)?(.*)$/.exec(part.trim()) ?? [];
    if (!isOneOf(LEVELS, level)) throw new RangeError(`"${level}" is no level; there are: ${LEVELS.join(", ")}`);
    if (area === undefined) common = level;
    else if (isOneOf(AREAS, area)) areas[area] = level;
    else throw new RangeError(`"${area}" is no area; there are: ${AREAS.join(", ")}`);
  }
  return { common, areas };
}

function isOneOf<T extends string>(values: readonly T[], text: string | undefined): text is T {
  return values.some((value) => value === text);
}
