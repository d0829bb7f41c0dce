import { readFileSync } from "node:fs";

import { expect } from "chai";
import * as fc from "fast-check";

import { checkGolden } from "../../runtime/golden/check-golden.ts";
import { LoadError } from "../../runtime/load-error.ts";
import { openModel } from "../../runtime/model/model.ts";
import { check } from "./support/fuzz.ts";
import { mutants } from "./support/mutants.ts";
import { Scratch, graph } from "./support/scratch.ts";

const METADATA = [
  { features: ["size", { name: "color", type: "string", missing: "" }], output: { tensor: "value" }, version: 3 },
  { features: ["a", "b", "c"], classes: ["x", "y", "z"], output: { tensor: "logits", activation: "softmax" } },
  { features: ["a", "b"], task: "classification", classes: ["no", "yes"], output: { threshold: 0.5 }, metrics: {} },
  JSON.parse(readFileSync("examples/loan/1.0.0/metadata.json", "utf8")) as object,
];
const GOLDEN = [
  { rows: [{ input: { size: 4, color: "red" }, output: { prediction: 3 } }], tolerance: { absolute: 1 } },
  { rows: [{ input: { a: 1, b: 2, c: 3 }, output: { prediction: "z", probability: 0.6, probabilities: { x: 0.1 } } }] },
  { rows: [{ input: { x: [1, 2, 3] }, output: { prediction: { hidden: [1], logits: [[1, 2]] } } }] },
];

describe("Whatever metadata.json and golden.json say", function () {
  this.timeout(600_000);
  const scratch = new Scratch();

  it("the model is served, or refused with a reason", () =>
    check(
      fc.record({
        model: fc.constantFrom("words-and-numbers", "scores", "two-numbers", "one-score", "image"),
        metadata: mutants(METADATA),
        golden: mutants(GOLDEN),
      }),
      0.2,
      async ({ model: name, metadata, golden }) => {
        const files = {
          "model.onnx": graph(name),
          "metadata.json": JSON.stringify(metadata),
          "golden.json": JSON.stringify(golden),
        };
        const folder = await scratch.folder(files);
        try {
          const model = await openModel({ folder, file: undefined, uri: "here" }, 1);
          const example = { input: model.example ?? {}, output: { prediction: null } };
          const rows = [example, ...(model.golden?.rows ?? [])];
          const options = { maxRows: 1, batchRows: 1, source: "here" };
          for (const row of rows) await checkGolden(model, { rows: [row] }, options).catch(requireReason);
          await model.pipeline.close();
        } catch (error) {
          requireReason(error);
        }
      },
    ));
});

function requireReason(error: unknown): void {
  expect(error).to.be.instanceOf(LoadError);
  expect((error as LoadError).message).to.match(/^loading here: /);
  const { cause } = error as LoadError;
  expect(cause instanceof TypeError || cause instanceof RangeError, String(cause)).to.equal(false);
  expect(["InvalidModel", "SignatureMismatch", "UnsupportedFormat"]).to.include((error as LoadError).reason);
}
