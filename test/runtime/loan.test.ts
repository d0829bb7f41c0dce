import { readFile } from "node:fs/promises";

import { expect } from "chai";

import { Serving } from "./support/serving.ts";
import { loan } from "./support/scratch.ts";

interface Golden {
  readonly rows: readonly { input: object; output: { prediction: string; probabilities: Record<string, number> } }[];
}

const FILES = ["model.onnx", "preprocessor.onnx", "metadata.json", "golden.json"];

for (const version of ["1.0.0", "2.0.0"]) {
  describe(`the runtime with the loan model ${version}`, () => {
    const serving = new Serving(Object.fromEntries(FILES.map((file) => [file, loan(version, file)])), {
      MODEL_VARIANT: "v1",
    });
    let golden: Golden;
    before(async () => {
      golden = JSON.parse(await readFile(`examples/loan/${version}/golden.json`, "utf8")) as Golden;
    });

    it("gives scikit-learn's own probabilities on every golden row, one by one", async () => {
      expect(golden.rows).to.have.length.greaterThan(20);
      for (const { input, output } of golden.rows) {
        const { status, json } = await serving.post("/predict", input);
        expect(status).to.equal(200);
        expectSame(json, output);
        expect(json).to.include({ model_version: version, model_variant: "v1" });
        expect(json["probability"]).to.equal((json["probabilities"] as Record<string, number>)["approved"]);
      }
    });

    it("gives the same answers to all rows in one request, and in the order of the rows", async () => {
      const { json } = await serving.post("/predict", { instances: golden.rows.map(({ input }) => input) });
      expect(json).to.have.all.keys("predictions", "model_version", "model_variant", "request_id");
      const predictions = json["predictions"] as Record<string, unknown>[];
      expect(predictions).to.have.length(golden.rows.length);
      golden.rows.forEach(({ output }, row) => expectSame(predictions[row] ?? {}, output));
    });

    it("gives everybody their own answer when many ask at once", async () => {
      const asked = Array.from({ length: 200 }, (_, index) => golden.rows[index % golden.rows.length]!);
      const answers = await Promise.all(asked.map(({ input }) => serving.post("/predict", input)));
      answers.forEach(({ json }, index) => expectSame(json, asked[index]!.output));
    });
  });
}

function expectSame(actual: Record<string, unknown>, expected: Golden["rows"][number]["output"]): void {
  expect(actual["prediction"]).to.equal(expected.prediction);
  const probabilities = actual["probabilities"] as Record<string, number>;
  expect(Object.keys(probabilities)).to.deep.equal(Object.keys(expected.probabilities));
  for (const [label, probability] of Object.entries(expected.probabilities)) {
    expect(probabilities[label]).to.be.closeTo(probability, 1e-5);
  }
}
