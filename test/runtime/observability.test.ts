import { expect } from "chai";
import * as fc from "fast-check";

import { CountedHistogram } from "../../runtime/observability/counted-histogram.ts";

describe("CountedHistogram", () => {
  it("puts every observation into all buckets that it is not above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 })), (values) => {
        const histogram = new CountedHistogram([1, 5, 10]);
        for (const value of values) histogram.observe(value);
        const text = histogram.text({ name: "h", help: "", labels: {} });
        for (const bound of [1, 5, 10])
          expect(text).to.include(`h_bucket{le="${bound}"} ${values.filter((value) => value <= bound).length}\n`);
        expect(text).to.include(`h_bucket{le="+Inf"} ${values.length}\n`).and.include(`h_count{} ${values.length}\n`);
      }),
    );
  });

  it("escapes its labels", () => {
    const text = new CountedHistogram([]).text({ name: "h", help: "", labels: { version: 'a"b\\c\nd' } });
    expect(text).to.include(String.raw`version="a\"b\\c\nd"`);
  });
});
