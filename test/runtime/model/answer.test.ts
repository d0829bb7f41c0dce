import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";

const softmax = (scores: number[]): number[] => {
  const powers = scores.map(Math.exp);
  return powers.map((power) => power / powers.reduce((a, b) => a + b));
};

describe("metadata.json turns the outputs of a network into answers:", () => {
  describe("logits of named classes, with softmax", () => {
    const serving = new Serving({
      "model.onnx": graph("scores"),
      "metadata.json": {
        task: "classification",
        classes: ["cat", "dog", "owl"],
        output: { tensor: "logits", activation: "softmax" },
      },
    });

    it("are labels and probabilities", async () => {
      const { json } = await serving.post("/predict", { f0: 0.5, f1: 2, f2: -1 });
      const [cat, dog, owl] = softmax([0.5, 2, -1]);
      expect(json["prediction"]).to.equal("dog");
      expect(json["probability"]).to.be.closeTo(dog!, 1e-7);
      const probabilities = json["probabilities"] as Record<string, number>;
      expect(Object.keys(probabilities)).to.deep.equal(["cat", "dog", "owl"]);
      expect(probabilities["cat"]).to.be.closeTo(cat!, 1e-7);
      expect(probabilities["owl"]).to.be.closeTo(owl!, 1e-7);
    });

    it("stay finite for logits whose exponential is not", async () => {
      const { json } = await serving.post("/predict", { f0: 1000, f1: 1001, f2: -1e38 });
      const [first, second] = softmax([-1, 0]);
      const probabilities = json["probabilities"] as Record<string, number>;
      expect(probabilities["cat"]).to.be.closeTo(first!, 1e-12);
      expect(probabilities["dog"]).to.be.closeTo(second!, 1e-12);
      expect(probabilities["owl"]).to.equal(0);
    });

    it("are counted by label, for v2 clients too", async () => {
      const infer = { inputs: [{ name: "x", shape: [1, 3], datatype: "FP32", data: [0, 0, 9] }] };
      const { json } = await serving.post("/v2/models/model/infer", infer);
      expect(json["outputs"]).to.deep.include({ name: "logits", datatype: "FP32", shape: [1, 3], data: [0, 0, 9] });
      expect(await serving.text("/metrics")).to.match(/ml_predictions_total\{.*prediction="owl"\} 1/);
    });
  });

  describe("one score of two classes, with sigmoid and a threshold", () => {
    const serving = new Serving({
      "model.onnx": graph("one-score"),
      "metadata.json": { classes: ["ham", "spam"], output: { activation: "sigmoid", threshold: 0.9 } },
    });

    it("is the second class's, which the threshold decides on", async () => {
      for (const [x, label] of [
        [0, "ham"],
        [2.19, "ham"],
        [2.2, "spam"],
      ] as const) {
        const { json } = await serving.post("/predict", { x });
        const probability = 1 / (1 + Math.exp(-x));
        expect(json["prediction"], String(x)).to.equal(label);
        expect(json["probability"]).to.be.closeTo(probability, 1e-6);
        const probabilities = json["probabilities"] as Record<string, number>;
        expect(probabilities["ham"]).to.be.closeTo(1 - probability, 1e-6);
      }
    });

    it("is counted by what the threshold decided, for v2 clients too", async () => {
      const infer = { inputs: [{ name: "x", shape: [2, 1], datatype: "FP32", data: [2.19, 2.2] }] };
      const counts = async (): Promise<(string | undefined)[]> => {
        const metrics = await serving.text("/metrics");
        return ["ham", "spam"].map((label) => new RegExp(`prediction="${label}"\\} (\\d+)`).exec(metrics)?.[1]);
      };
      const before = (await counts()).map(Number);
      expect((await serving.post("/v2/models/model/infer", infer)).status).to.equal(200);
      expect((await counts()).map(Number)).to.deep.equal(before.map((count) => count + 1));
    });
  });

  describe("a classifier with a label of its own", () => {
    const serving = new Serving({
      "model.onnx": graph("two-numbers"),
      "metadata.json": { classes: [5, 15], output: { threshold: 0 } },
    });

    it("is overruled by the threshold", async () => {
      const { json } = await serving.post("/predict", { f0: -3, f1: 0, f2: 0 });
      expect(json["probability"]).to.be.lessThan(0.1);
      expect(json["prediction"]).to.equal(15);
    });
  });

  describe("scores that are already probabilities", () => {
    const serving = new Serving({
      "model.onnx": graph("scores"),
      "metadata.json": { task: "image-classification", output: { tensor: "logits" }, features: ["a", "b", "c"] },
    });

    it("are answered as they are, for numbered classes when nobody named them", async () => {
      const { json } = await serving.post("/predict", { a: 0.25, b: 0.25, c: 0.5 });
      expect(json).to.deep.include({
        prediction: 2,
        probability: 0.5,
        probabilities: { "0": 0.25, "1": 0.25, "2": 0.5 },
      });
    });
  });

  describe("NaN among the scores", () => {
    const features = ["a", "b", "c"].map((name) => ({ name, nullable: true }));
    const serving = new Serving({
      "model.onnx": graph("scores"),
      "metadata.json": { features, classes: ["x", "y", "z"], output: { tensor: "logits", activation: "softmax" } },
    });

    it("is no prediction at all, rather than the first class", async () => {
      const { status, json } = await serving.post("/predict", { a: 1, b: null, c: 2 });
      expect(status).to.equal(200);
      expect(json).to.deep.include({
        prediction: null,
        probability: null,
        probabilities: { x: null, y: null, z: null },
      });
    });
  });

  describe("the output that is the answer of a regressor", () => {
    const serving = new Serving({
      "model.onnx": graph("mixed"),
      "metadata.json": { task: "regression", output: { tensor: "thousands" } },
    });

    it("is a number even when it is whole, and a decimal string where JSON's numbers are not exact", async () => {
      const row = { flag: true, amount: 0.5, word: "", count: 7 };
      expect((await serving.post("/predict", row)).json["prediction"]).to.equal(7000);
      const large = await serving.post("/predict", { ...row, count: 9_007_199_254_740_991 });
      expect(large.json["prediction"]).to.equal("9007199254740991000");
      expect(await serving.text("/metrics")).to.match(/ml_predictions_total\{.*prediction="value"\} 2/);
    });
  });

  describe("several outputs without one that is the answer", () => {
    const serving = new Serving({ "model.onnx": graph("mixed"), "metadata.json": { task: "regression" } });

    it("are all answered, by name; columns may be boolean, integer, float64 and text", async () => {
      const { json } = await serving.post("/predict", { flag: true, count: -2, amount: 0.1, word: "süß" });
      expect(json["prediction"]).to.deep.equal({ total: 1.1, thousands: -2000, echo: "süß" });
    });

    it("are answered for every row of a request", async () => {
      const instances = [1, 2, 3].map((count) => ({ flag: false, count, amount: count, word: `w${count}` }));
      const { json } = await serving.post("/predict", { instances });
      expect(json["predictions"]).to.deep.equal(
        [1, 2, 3].map((count) => ({ prediction: { total: count, thousands: 1000 * count, echo: `w${count}` } })),
      );
    });
  });

  describe("several numbers in one output", () => {
    const serving = new Serving({
      "model.onnx": graph("scores"),
      "metadata.json": { task: "regression", output: { tensor: "hidden" } },
    });

    it("are a list, in which an infinite one is null", async () => {
      const { json } = await serving.post("/predict", { f0: 1, f1: -2, f2: 3 });
      expect(json["prediction"]).to.deep.equal([-1, 2, -3]);
    });
  });
});

describe("Columns in groups, one input for each type", () => {
  const features = [
    { name: "color", input: "words", missing: "?" },
    { name: "age", input: "numbers", nullable: true },
    { name: "lining", input: "words" },
    { name: "price", input: "numbers", missing: -5 },
  ];
  const serving = new Serving({ "model.onnx": graph("groups"), "metadata.json": { features } });

  it("take the features that name them, in order", async () => {
    const { json } = await serving.post("/predict", { price: 9.5, lining: "green", age: 30, color: "red" });
    expect(json["prediction"]).to.deep.equal([30, 9.5, 1, 2]);
  });

  it("take for a null what metadata.json says, or NaN", async () => {
    const { json } = await serving.post("/predict", { price: null, lining: "red", age: null, color: null });
    expect(json["prediction"]).to.deep.equal([null, -5, -1, 1]);
    expect((await serving.post("/predict", { price: 1, lining: null, age: 1, color: "red" })).status).to.equal(422);
  });
});

describe("A graph that takes four rows a run", () => {
  const serving = new Serving({ "model.onnx": graph("four-rows") });
  const row = (value: number): object => ({ f0: value, f1: value, f2: value });

  it("answers any number of rows", async () => {
    for (const count of [1, 3, 4, 5, 11]) {
      const instances = Array.from({ length: count }, (_, index) => row(index));
      const { json } = await serving.post("/predict", { instances });
      expect(json["predictions"]).to.deep.equal(instances.map((_, index) => ({ prediction: 3 * index })));
    }
  });

  it("answers many clients in shared runs", async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => serving.post("/predict", row(index))));
    expect(answers.map(({ json }) => json["prediction"])).to.deep.equal(answers.map((_, index) => 3 * index));
  });

  it("takes exactly four in v2, as its signature says", async () => {
    const infer = (rows: number): object => ({
      inputs: [{ name: "x", shape: [rows, 3], datatype: "FP32", data: Array.from({ length: rows * 3 }, () => 1) }],
    });
    const { json } = await serving.post("/v2/models/model/infer", infer(4));
    expect(json["outputs"]).to.deep.equal([{ name: "sum", datatype: "FP32", shape: [4, 1], data: [3, 3, 3, 3] }]);
    expect((await serving.post("/v2/models/model/infer", infer(3))).status).to.equal(400);
  });
});
