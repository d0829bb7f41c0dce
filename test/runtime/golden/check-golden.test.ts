import { expect } from "chai";

import { checkGolden, rowsAtStart } from "../../../runtime/golden/check-golden.ts";
import { LoadError } from "../../../runtime/load-error.ts";
import { openModel } from "../../../runtime/model/model.ts";
import { Scratch, graph } from "../support/scratch.ts";
import type { Content } from "../support/scratch.ts";
import { Serving } from "../support/serving.ts";

describe("Golden rows", () => {
  const scratch = new Scratch();

  /** How many rows of golden.json a model answers as expected, or why it does not. */
  async function checked(files: Readonly<Record<string, Content>>, maxRows = 100): Promise<number | string> {
    const model = await openModel({ folder: await scratch.folder(files), file: undefined, uri: "here" }, 1);
    try {
      return await checkGolden(model, model.golden!, { maxRows, batchRows: 2, source: "here" });
    } catch (error) {
      expect(error).to.be.instanceOf(LoadError);
      return (error as LoadError).message;
    } finally {
      await model.pipeline.close();
    }
  }

  const doubled = (rows: number, wrong?: number): Record<string, Content> => ({
    "model.onnx": graph("lookup"),
    "golden.json": {
      rows: Array.from({ length: rows }, (_, row) => ({
        input: { index: row % 3 },
        output: { prediction: row === wrong ? 11 : [10, 20, 30][row % 3] },
      })),
    },
  });

  it("are asked up to a number of them", async () => {
    expect(await checked(doubled(5))).to.equal(5);
    expect(await checked(doubled(5), 3)).to.equal(3);
    expect(await checked(doubled(5, 4), 3)).to.equal(3);
    expect(await checked(doubled(0))).to.equal(0);
  });

  it("name the row, both answers, the tolerance and how many differ", async () => {
    expect(await checked(doubled(4, 3))).to.equal(
      "loading here: golden.json: rows[3].output.prediction: expected 11 ± 0.0011, the model answers 10; 1 of 4 rows differ; " +
        'export both from the same training run, or widen "tolerance" in golden.json',
    );
  });

  it("are compared by golden.json's own tolerance", async () => {
    const golden = JSON.parse(JSON.stringify(doubled(4, 3)["golden.json"])) as object;
    const files = { "model.onnx": graph("lookup") };
    expect(await checked({ ...files, "golden.json": { ...golden, tolerance: { absolute: 2 } } })).to.equal(4);
    expect(await checked({ ...files, "golden.json": { ...golden, tolerance: { relative: 0.2 } } })).to.equal(4);
    expect(await checked({ ...files, "golden.json": { ...golden, tolerance: { absolute: 0.5 } } })).to.match(/± 0\.5,/);
  });

  it("share runs, and yet it is said which of them the model fails on", async () => {
    const rows = [0, 99, 1].map((index) => ({ input: { index }, output: { prediction: 10 } }));
    expect(await checked({ "model.onnx": graph("lookup"), "golden.json": { rows } })).to.match(
      /^loading here: golden\.json: rows\[1\]: the model fails on this input: /,
    );
  });

  it("are nested arrays by input for a model without named fields", async () => {
    const pixels = [
      [
        [1, 3],
        [5, 7],
      ],
    ];
    const golden = { rows: [{ input: { pixels }, output: { prediction: [[[4]]] } }] };
    expect(await checked({ "model.onnx": graph("image"), "golden.json": golden })).to.equal(1);
  });

  it("are asked of a graph of four rows one by one", async () => {
    const model = { "model.onnx": graph("four-rows") };
    const { features } = await openModel({ folder: await scratch.folder(model), file: undefined, uri: "here" }, 1);
    const input = Object.fromEntries((features ?? []).map(({ name }) => [name, 1]));
    const golden = { rows: [{ input, output: { prediction: "none" } }] };
    expect(await checked({ ...model, "golden.json": golden })).to.match(/expected "none", the model answers \d/);
  });

  it("take a start some seconds at most", () => {
    expect([undefined, 0, 0.1, 50, 500, 60_000].map(rowsAtStart)).to.deep.equal([100, 100, 100, 40, 4, 1]);
  });

  describe("of a model that is served", () => {
    const serving = new Serving({}, { MODEL_URI: "examples/loan/1.0.0" });

    it("are not counted as requests", async () => {
      const metrics = await serving.text("/metrics");
      expect(metrics).to.not.match(/^ml_(predictions_total|inference_seconds_count|batch_rows_count)\S* [1-9]/m);
    });
  });
});
