import { expect } from "chai";
import * as fc from "fast-check";

import type { MetricFamily } from "../../../runtime/observability/metric-family.ts";
import { PodMetrics } from "../../../runtime/processes/pod-metrics.ts";
import { restartDelay } from "../../../runtime/processes/restart-delay.ts";

const counts = (value: number): MetricFamily[] => [
  { name: "events_total", help: "", type: "counter", across: "sum", samples: [{ labels: {}, value }] },
  { name: "in_flight", help: "", type: "gauge", across: "sum", samples: [{ labels: {}, value }] },
];

describe("The metrics of a pod", () => {
  it("never count less when processes end and others take their place", () => {
    const event = fc.record({
      process: fc.constantFrom("1", "2", "3"),
      what: fc.oneof(fc.nat(100), fc.constant("ends" as const)),
    });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const pod = new PodMetrics();
        const totals = new Map<string, number>();
        let before = 0;
        let happened = 0;
        for (const { process, what } of events) {
          if (what === "ends") {
            pod.retire(process);
            totals.delete(process);
          } else {
            happened += what;
            totals.set(process, (totals.get(process) ?? 0) + what);
            pod.update(process, counts(totals.get(process) ?? 0));
          }
          const total = pod.families().find(({ name }) => name === "events_total")?.samples[0]?.value ?? 0;
          expect(total).to.be.at.least(before).and.equal(happened);
          before = total;
        }
      }),
    );
  });

  it("have no gauges of a process that has ended", () => {
    const pod = new PodMetrics();
    pod.update("1", counts(3));
    pod.update("2", counts(4));
    pod.retire("1");
    const values = pod.families().map(({ name, samples }) => [name, samples[0]?.value]);
    expect(values).to.deep.equal([
      ["events_total", 7],
      ["in_flight", 4],
    ]);
  });
});

describe("A process that takes the place of one that ended", () => {
  it("comes ever later while they end soon after their start, and quickly again after a steady one", () => {
    const delays = [0, 1, 2, 3, 20].map((restarts) => restartDelay(restarts, 1_000).delayMs);
    expect(delays).to.deep.equal([100, 200, 400, 800, 30_000]);
    expect(restartDelay(20, 3_600_000)).to.deep.equal({ delayMs: 100, restarts: 1 });
  });
});
