import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";

import { Serving } from "../runtime/support/serving.ts";

interface Golden {
  readonly rows: readonly {
    readonly input: Readonly<Record<string, unknown>>;
    readonly output: { readonly prediction: unknown; readonly probabilities?: Readonly<Record<string, number>> };
  }[];
}

const MAX_BYTES = 300_000;

/** Largest difference from the framework, of the value itself or of 1, whichever is more. */
const EXAMPLES: readonly { name: string; tolerance: number; framework: string }[] = [
  { name: "churn-pipeline", framework: "scikit-learn", tolerance: 1e-5 },
  { name: "demand-lightgbm", framework: "LightGBM", tolerance: 1e-4 }, // the graph adds up its trees in float32
  { name: "fault-torch", framework: "PyTorch", tolerance: 1e-5 },
  { name: "digits-keras", framework: "Keras", tolerance: 1e-5 },
];

for (const { name, framework, tolerance } of EXAMPLES) {
  describe(`the example ${name}`, () => {
    const folder = join("examples", name, "model");
    const serving = new Serving({}, { MODEL_URI: folder });
    const golden = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as Golden;
    const isSame = (actual: unknown, expected: unknown, row: string): void => {
      if (typeof expected !== "number") expect(actual, row).to.equal(expected);
      else expect(actual, row).to.be.closeTo(expected, tolerance * Math.max(Math.abs(expected), 1));
    };
    const isGolden = (answer: Readonly<Record<string, unknown>>, { input, output }: Golden["rows"][number]): void => {
      const row = JSON.stringify(input);
      isSame(answer["prediction"], output.prediction, row);
      if (output.probabilities === undefined) {
        expect(answer).to.not.have.any.keys("probability", "probabilities");
        return;
      }
      const probabilities = answer["probabilities"] as Record<string, number>;
      expect(Object.keys(probabilities)).to.deep.equal(Object.keys(output.probabilities));
      for (const [label, share] of Object.entries(output.probabilities)) isSame(probabilities[label], share, row);
    };

    it("is small enough to commit, and its requirements are pinned", () => {
      const files = readdirSync(folder).toSorted();
      expect(files).to.deep.equal(["golden.json", "metadata.json", "model.onnx"]);
      for (const file of files) expect(statSync(join(folder, file)).size, file).to.be.below(MAX_BYTES);
      const requirements = readFileSync(join("examples", name, "requirements.txt"), "utf8")
        .trim()
        .split("\n");
      for (const line of requirements.filter((line) => !line.startsWith("#"))) expect(line).to.match(/^[\w.-]+==\S+$/);
    });

    it(`answers every golden row as ${framework} did, one by one`, async () => {
      expect(golden.rows).to.have.length(20);
      for (const row of golden.rows) {
        const { status, json } = await serving.post("/predict", row.input);
        expect(status, JSON.stringify(json)).to.equal(200);
        isGolden(json, row);
      }
    });

    it(`answers them as ${framework} did, as one request and at once`, async () => {
      const { json } = await serving.post("/predict", { instances: golden.rows.map(({ input }) => input) });
      (json["predictions"] as Record<string, unknown>[]).forEach((answer, row) => isGolden(answer, golden.rows[row]!));
      const answers = await Promise.all(golden.rows.map(({ input }) => serving.post("/predict", input)));
      answers.forEach(({ json }, row) => isGolden(json, golden.rows[row]!));
    });

    it("has golden rows of more than one answer", () => {
      expect(new Set(golden.rows.map(({ output }) => output.prediction)).size).to.be.greaterThan(1);
    });
  });
}
