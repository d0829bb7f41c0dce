import type { Labels, Sample } from "./metric-family.ts";

/** A histogram of one series whose observations cost an addition to a plain number. */
export class CountedHistogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  samples(labels: Labels): Sample[] {
    let total = 0;
    const buckets = this.#counts.map((count, bucket): Sample => {
      total += count;
      const le = String(this.#bounds[bucket] ?? "+Inf");
      return { suffix: "_bucket", labels: { ...labels, le }, value: total };
    });
    return [...buckets, { suffix: "_sum", labels, value: this.#sum }, { suffix: "_count", labels, value: total }];
  }
}
