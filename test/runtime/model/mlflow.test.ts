import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";

const weights = Buffer.from(new Float32Array([2, 10]).buffer);
const columns = [
  { type: "double", name: "income", required: false },
  { type: "long", name: "age", required: true },
];
const mlmodel = (inputs: unknown): string =>
  `flavors:\n  onnx: { data: external.onnx }\nsignature:\n  inputs: '${JSON.stringify(inputs)}'\n`;
const files = { "external.onnx": graph("external"), "weights.bin": weights };

describe("An MLflow model of the ONNX flavour", () => {
  const serving = new Serving({ ...files, MLmodel: mlmodel(columns) });

  it("takes the columns of its signature, with their types", async () => {
    expect((await serving.post("/predict", { income: 1.5, age: 4 })).json).to.include({ prediction: 43 });
    expect((await serving.post("/predict", { income: 1.5, age: 4.5 })).status).to.equal(422);
    expect((await serving.post("/predict", { income: 1.5, age: null })).status).to.equal(422);
  });

  it("takes a missing value where the signature does not require one", async () => {
    expect((await serving.post("/predict", { income: null, age: 4 })).status).to.not.equal(422);
  });

  describe("whose signature is of tensors", () => {
    const tensors = new Serving({
      ...files,
      MLmodel: mlmodel([{ type: "tensor", "tensor-spec": { dtype: "float32", shape: [-1, 2] } }]),
    });

    it("has the graph's own fields", async () => {
      expect((await tensors.post("/predict", { f0: 1.5, f1: 4 })).json).to.include({ prediction: 43 });
    });
  });

  describe("beside a metadata.json", () => {
    const described = new Serving({ ...files, MLmodel: mlmodel(columns), "metadata.json": { features: ["a", "b"] } });

    it("has the fields of metadata.json", async () => {
      expect((await described.post("/predict", { a: 1.5, b: 4 })).json).to.include({ prediction: 43 });
    });
  });
});
