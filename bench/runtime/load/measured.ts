export interface Measured {
  readonly answers: number;
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Share of its core that making the load took: near 1 it is the load that limits the rate. */
  readonly effort: number;
}

/** Starts the clock. The function that it returns stops it and sums up the latencies, in milliseconds, since then. */
export function summary(latencies: readonly number[]): () => Measured {
  const began = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const sorted = Float64Array.from(latencies).sort();
    return {
      answers: latencies.length,
      rate: latencies.length / seconds,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      effort: (user + system) / 1e6 / seconds,
    };
  };
}

/** Of values in ascending order. */
export const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;

export const median = (values: readonly number[]): number => quantile(Float64Array.from(values).sort(), 0.5);
