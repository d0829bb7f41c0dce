interface Description {
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A histogram of one series whose observations cost an addition to a plain number (prom-client's cost a hash of labels). */
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

  /** The series in Prometheus' text format. */
  text({ name, help, labels }: Description): string {
    let total = 0;
    const buckets = this.#counts.map((count, bucket) => {
      total += count;
      return `${name}_bucket${labelText({ ...labels, le: String(this.#bounds[bucket] ?? "+Inf") })} ${total}`;
    });
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} histogram`,
      ...buckets,
      `${name}_sum${labelText(labels)} ${this.#sum}`,
      `${name}_count${labelText(labels)} ${total}`,
      "",
    ].join("\n");
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const escaped = (value: string): string =>
    value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",")}}`;
}
