import { expect } from "chai";
import * as fc from "fast-check";

import { jsonErrorPosition } from "../../../runtime/protocol/json-error.ts";

describe("The position of a JSON error", () => {
  for (const [text, position] of [
    ["", 0],
    ["  ", 2],
    ['{"a": abc}', 6],
    ['{"a": 1,}', 8],
    ['{"a" 1}', 5],
    ["[1, 2", 5],
    ["[1, 2}", 5],
    ['{"a": 1} x', 9],
    ['{"a": 01}', 6],
    ['{"a": 1e}', 6],
    ['["a\nb"]', 1],
    ["{,}", 1],
    ["[,]", 1],
    ["tru", 0],
  ] as const) {
    it(`is ${position} in ${JSON.stringify(text)}`, () => expect(jsonErrorPosition(text)).to.equal(position));
  }

  it("is where a document was cut off or spoilt", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (json, at) => {
        const text = json.slice(0, at % json.length);
        const isWhole = ((): boolean => {
          try {
            JSON.parse(text);
            return true;
          } catch {
            return false;
          }
        })();
        if (isWhole) return true;
        const position = jsonErrorPosition(text);
        return position >= 0 && position <= text.length;
      }),
    );
  });

  it("is the end of every document that only lacks its end", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (numbers) => {
        const text = JSON.stringify(numbers).slice(0, -1);
        expect(jsonErrorPosition(text)).to.equal(text.length);
      }),
    );
  });
});
