import { Registry, collectDefaultMetrics } from "prom-client";

import type { MetricFamily, Sample } from "./metric-family.ts";

/** CPU, memory, event loop and garbage collection of this process, the last two since this was made. */
export class ProcessMetrics {
  readonly #registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  async families(): Promise<MetricFamily[]> {
    const metrics = await this.#registry.getMetricsAsJSON();
    return metrics.map(({ name, help, type, values }) => ({
      name,
      help,
      type: String(type) as MetricFamily["type"],
      across: "each",
      samples: values.map(({ value, labels, ...rest }) => ({
        ...suffix("metricName" in rest ? String(rest.metricName).slice(name.length) : ""),
        labels: Object.fromEntries(Object.entries(labels).map(([label, text]) => [label, String(text)])),
        value,
      })),
    }));
  }
}

const suffix = (text: string): Pick<Sample, "suffix"> =>
  text === "_bucket" || text === "_sum" || text === "_count" ? { suffix: text } : {};
