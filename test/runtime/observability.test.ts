import { expect } from "chai";
import * as fc from "fast-check";

import { CountedHistogram } from "../../runtime/observability/counted-histogram.ts";
import { exposition } from "../../runtime/observability/exposition.ts";
import { lasting, mergeFamilies } from "../../runtime/observability/metric-family.ts";
import type { MetricFamily, Sample } from "../../runtime/observability/metric-family.ts";

describe("CountedHistogram", () => {
  it("puts every observation into all buckets that it is not above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 })), (values) => {
        const histogram = new CountedHistogram([1, 5, 10]);
        for (const value of values) histogram.observe(value);
        const samples = histogram.samples({});
        const counted = (suffix: string, le?: string): number | undefined =>
          samples.find((sample) => sample.suffix === suffix && sample.labels["le"] === le)?.value;
        for (const bound of [1, 5, 10])
          expect(counted("_bucket", `${bound}`)).to.equal(values.filter((value) => value <= bound).length);
        expect([counted("_bucket", "+Inf"), counted("_count")]).to.deep.equal([values.length, values.length]);
      }),
    );
  });
});

const family = (across: MetricFamily["across"], samples: Sample[], more: Partial<MetricFamily> = {}): MetricFamily => ({
  name: "m",
  help: "",
  type: "counter",
  across,
  samples,
  ...more,
});

describe("The exposition", () => {
  it("escapes labels, writes infinities as Prometheus reads them, and leaves out what has no series", () => {
    const samples = [
      { labels: { version: 'a"b\\c\nd' }, value: 1 },
      { suffix: "_sum" as const, labels: {}, value: Number.POSITIVE_INFINITY },
    ];
    expect(exposition([family("sum", samples), family("sum", [], { name: "none" })])).to.equal(
      String.raw`# HELP m ` + "\n# TYPE m counter\n" + String.raw`m{version="a\"b\\c\nd"} 1` + "\nm_sum +Inf\n",
    );
  });
});

describe("The metrics of several processes as one", () => {
  const processes = [
    { process: "1", values: { a: 1, b: 5 } },
    { process: "2", values: { a: 2 } },
  ].map(({ process, values }) => ({
    process,
    series: Object.entries(values).map(([label, value]) => ({ labels: { label }, value })),
  }));
  const merged = (across: MetricFamily["across"]): Sample[] =>
    mergeFamilies(processes.map(({ process, series }) => ({ process, families: [family(across, series)] }))).flatMap(
      ({ samples }) => samples,
    );

  it("are sums of equal series, the greatest of them, or each beside the others", () => {
    expect(merged("sum").map(({ value }) => value)).to.deep.equal([3, 5]);
    expect(merged("max").map(({ value }) => value)).to.deep.equal([2, 5]);
    expect(merged("each")).to.deep.equal([
      { labels: { process: "1", label: "a" }, value: 1 },
      { labels: { process: "1", label: "b" }, value: 5 },
      { labels: { process: "2", label: "a" }, value: 2 },
    ]);
  });

  it("count every observation of every process once", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.double({ min: 0, max: 20, noNaN: true }))), (observations) => {
        const counted = observations.map((values) => {
          const histogram = new CountedHistogram([1, 5, 10]);
          for (const value of values) histogram.observe(value);
          return [family("sum", histogram.samples({ version: "1" }), { type: "histogram" })];
        });
        const alone = new CountedHistogram([1, 5, 10]);
        for (const value of observations.flat()) alone.observe(value);
        const [together] = mergeFamilies(counted.map((families, index) => ({ process: `${index}`, families })));
        const expected = observations.length === 0 ? undefined : alone.samples({ version: "1" });
        expect(together?.samples.filter(({ suffix }) => suffix !== "_sum")).to.deep.equal(
          expected?.filter(({ suffix }) => suffix !== "_sum"),
        );
      }),
    );
  });

  it("keep the counts of a process that is gone, and no more of it", () => {
    const sample = [{ labels: {}, value: 1 }];
    const kept = family("sum", sample);
    const gone = [
      family("sum", sample, { type: "gauge" }),
      family("max", sample, { type: "gauge" }),
      family("each", sample),
    ];
    expect(lasting([kept, ...gone])).to.deep.equal([kept]);
  });
});
