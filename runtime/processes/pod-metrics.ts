import { lasting, mergeFamilies } from "../observability/metric-family.ts";
import type { MetricFamily } from "../observability/metric-family.ts";

/** The metrics of a pod's processes, as each last told them. */
export class PodMetrics {
  readonly #known = new Map<string, readonly MetricFamily[]>();
  #gone: readonly MetricFamily[] = [];

  update(process: string, families: readonly MetricFamily[]): void {
    this.#known.set(process, families);
  }

  /** Keeps the counts of a process that has ended, so that no sum ever shrinks. */
  retire(process: string): void {
    const families = lasting(this.#known.get(process) ?? []);
    this.#known.delete(process);
    this.#gone = mergeFamilies([this.#gone, families].map((each) => ({ process, families: each })));
  }

  families(): MetricFamily[] {
    const known = Array.from(this.#known, ([process, families]) => ({ process, families }));
    const byProcess = known.toSorted((a, b) => Number(a.process) - Number(b.process));
    return mergeFamilies([...byProcess, { process: "", families: this.#gone }]);
  }
}
