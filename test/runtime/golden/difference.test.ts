import { expect } from "chai";
import * as fc from "fast-check";

import { goldenDifference } from "../../../runtime/golden/difference.ts";
import type { Difference, ExpectedOutput } from "../../../runtime/golden/difference.ts";
import type { Prediction } from "../../../runtime/model/answer.ts";

const TOLERANCE = { absolute: 0.001, relative: 0.01 };
const even = { yes: 0.5, no: 0.5 };

describe("An answer is the golden one", () => {
  for (const [title, expected, got] of [
    ["when its numbers are within the tolerance", { prediction: 100 }, { prediction: 101 }],
    ["near zero, by the absolute tolerance", { prediction: 0 }, { prediction: -0.001 }],
    ["whatever it says beyond what is expected", { prediction: "yes" }, { prediction: "yes", probability: 0.9 }],
    ["where NaN is expected as null", { prediction: null }, { prediction: null }],
    ["in nested outputs", { prediction: { a: [[1, 2]], b: "x" } }, { prediction: { a: [[1.001, 2]], b: "x", c: 1 } }],
    ["with probabilities that null leaves open", { prediction: 1, probabilities: null }, { prediction: 1 }],
    [
      "with another label that is as likely",
      { prediction: "yes", probabilities: even },
      { prediction: "no", probabilities: even },
    ],
  ] satisfies [string, ExpectedOutput, Prediction][]) {
    it(title, () => expect(goldenDifference(expected, got, TOLERANCE)).to.equal(undefined));
  }

  it("when it is the same, whatever it is", () =>
    fc.assert(
      fc.property(fc.jsonValue(), (prediction) => {
        expect(goldenDifference({ prediction }, { prediction }, TOLERANCE)).to.equal(undefined);
      }),
    ));
});

describe("An answer is not the golden one", () => {
  for (const [title, expected, got, difference] of [
    [
      "beyond the tolerance",
      { prediction: 100 },
      { prediction: 101.1 },
      { at: "prediction", expected: 100, got: 101.1 },
    ],
    [
      "by its label",
      { prediction: "yes", probabilities: { yes: 0.6, no: 0.4 } },
      { prediction: "no", probabilities: { yes: 0.6, no: 0.4 } },
      { at: "prediction", expected: "yes", got: "no" },
    ],
    [
      "by a probability",
      { prediction: "yes", probabilities: { yes: 0.6, no: 0.4 } },
      { prediction: "yes", probabilities: { yes: 0.6, no: 0.5 } },
      { at: "probabilities.no", expected: 0.4, got: 0.5 },
    ],
    [
      "by a class that the model does not have",
      { prediction: "yes", probabilities: { yes: 1, toString: 0 } },
      { prediction: "yes", probabilities: { yes: 1 } },
      { at: "probabilities.toString", expected: 0, got: undefined },
    ],
    [
      "by the second class's probability",
      { prediction: 1, probability: 0.5 },
      { prediction: 1, probability: null },
      { at: "probability", expected: 0.5, got: null },
    ],
    [
      "by its length",
      { prediction: [1, 2] },
      { prediction: [1, 2, 3] },
      { at: "prediction", expected: [1, 2], got: [1, 2, 3] },
    ],
    [
      "deep inside",
      { prediction: { a: [[1, 2]] } },
      { prediction: { a: [[1, 3]] } },
      { at: "prediction.a[0][1]", expected: 2, got: 3 },
    ],
    ["by its type", { prediction: "1" }, { prediction: 1 }, { at: "prediction", expected: "1", got: 1 }],
    [
      "by a list for an object",
      { prediction: [1] },
      { prediction: { 0: 1 } },
      { at: "prediction", expected: [1], got: { 0: 1 } },
    ],
  ] satisfies [string, ExpectedOutput, Prediction, Difference][]) {
    it(title, () => expect(goldenDifference(expected, got, TOLERANCE)).to.deep.equal(difference));
  }
});
