import { expect } from "chai";
import * as fc from "fast-check";

import { mapped } from "../../runtime/mapped.ts";

describe("mapped", () => {
  it("gives what Array's map gives", () =>
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (list) => {
        const pair = (each: unknown, index: number): unknown[] => [index, each];
        expect(mapped(list, pair)).to.deep.equal(list.map(pair));
      }),
    ));
});
