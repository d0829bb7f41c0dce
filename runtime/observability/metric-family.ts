/** A metric with all its series, as plain data: it can be sent to another process. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /**
   * How the values of a pod's processes become the pod's: their sum, their greatest, or each beside the others under a
   * label `process`. Counters and histograms are `sum` or `each`.
   */
  readonly across: "sum" | "max" | "each";
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** Of a histogram's series. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  readonly labels: Labels;
  readonly value: number;
}

export type Labels = Readonly<Record<string, string>>;

/** Whose metrics these are. */
export interface ProcessFamilies {
  /** Value of the label `process`. */
  readonly process: string;
  readonly families: readonly MetricFamily[];
}

/** The metrics of several processes as one. Families keep the order in which they are first seen. */
export function mergeFamilies(processes: readonly ProcessFamilies[]): MetricFamily[] {
  const merged = new Map<string, { family: MetricFamily; samples: Map<string, Sample> }>();
  for (const { process, families } of processes) {
    for (const family of families) {
      const known = merged.get(family.name) ?? { family, samples: new Map<string, Sample>() };
      merged.set(family.name, known);
      for (const sample of family.samples) {
        const series = family.across === "each" ? { ...sample, labels: { process, ...sample.labels } } : sample;
        const key = seriesKey(series);
        const before = known.samples.get(key)?.value;
        known.samples.set(key, { ...series, value: combined(family.across, before, series.value) });
      }
    }
  }
  return Array.from(merged.values(), ({ family, samples }) => ({ ...family, samples: [...samples.values()] }));
}

/**
 * What must still be counted when the process of these metrics is gone: a sum that shrank would look like a restart of
 * all processes, and its whole value like new events.
 */
export function lasting(families: readonly MetricFamily[]): MetricFamily[] {
  return families.filter(({ type, across }) => type !== "gauge" && across === "sum");
}

function combined(across: MetricFamily["across"], before: number | undefined, value: number): number {
  if (before === undefined) return value;
  return across === "max" ? Math.max(before, value) : before + value;
}

const seriesKey = ({ suffix, labels }: Sample): string => JSON.stringify([suffix, ...Object.entries(labels)]);
