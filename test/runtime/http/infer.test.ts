import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

const INFER = "/v2/models/model/infer";
const EXAMPLES: [type: string, datatype: string, row: unknown[]][] = [
  ["bool", "BOOL", [true, false]],
  ["int8", "INT8", [-128, 127]],
  ["int16", "INT16", [-32_768, 32_767]],
  ["int32", "INT32", [-2_147_483_648, 2_147_483_647]],
  ["int64", "INT64", [-9_007_199_254_740_991, 1]],
  ["uint8", "UINT8", [0, 255]],
  ["uint16", "UINT16", [0, 65_535]],
  ["uint32", "UINT32", [0, 4_294_967_295]],
  ["uint64", "UINT64", [0, "18446744073709551615"]],
  ["float", "FP32", [0.5, -2]],
  ["double", "FP64", [0.1, 1e300]],
  ["string", "BYTES", ["", "süß"]],
];

interface Tensor {
  name: string;
  shape: number[];
  datatype: string;
  data: unknown[];
}

const tensor = ([type, datatype, row]: (typeof EXAMPLES)[number], rows = 1): Tensor => ({
  name: `in_${type}`,
  shape: [rows, 2],
  datatype,
  data: Array.from({ length: rows }, () => row).flat(),
});

describe("POST /v2/models/{model}/infer", () => {
  const serving = new Serving({ "model.onnx": graph("identity") }, { MODEL_VERSION: "7", MODEL_VARIANT: "v7" });

  it("carries every datatype there and back, exactly", async () => {
    const { status, json } = await serving.post(INFER, {
      id: "42",
      inputs: EXAMPLES.map((example) => tensor(example, 2)),
    });
    expect(status, JSON.stringify(json)).to.equal(200);
    expect(json).to.deep.equal({
      model_name: "model",
      model_version: "7",
      id: "42",
      parameters: { model_variant: "v7" },
      outputs: EXAMPLES.map((example) => ({ ...tensor(example, 2), name: `out_${example[0]}` })),
    });
  });

  it("takes nested data as well, and answers only the outputs that were asked for", async () => {
    const inputs = EXAMPLES.map((example) => ({ ...tensor(example, 3), data: [example[2], example[2], example[2]] }));
    const { json } = await serving.post(`/v2/models/model/versions/7/infer`, {
      inputs,
      outputs: [{ name: "out_float" }],
    });
    expect(json["outputs"]).to.deep.equal([
      { name: "out_float", datatype: "FP32", shape: [3, 2], data: [0.5, -2, 0.5, -2, 0.5, -2] },
    ]);
  });

  it("keeps the rows of clients apart that ask at once with different numbers of rows", async () => {
    const rowCounts = Array.from({ length: 30 }, (_, index) => 1 + (index % 4));
    const answers = await Promise.all(
      rowCounts.map((rows, client) => {
        const mine = EXAMPLES.map(([type, datatype, row]) =>
          tensor([type, datatype, type === "float" ? [client, -client] : row], rows),
        );
        return serving.post(INFER, { inputs: mine, outputs: [{ name: "out_float" }] });
      }),
    );
    answers.forEach(({ json }, client) => {
      const [output] = json["outputs"] as Tensor[];
      expect(output?.shape).to.deep.equal([rowCounts[client], 2]);
      expect(output?.data.map(Math.abs as never)).to.deep.equal(
        Array.from({ length: 2 * rowCounts[client]! }, () => client),
      );
    });
  });

  describe("refuses with 400 and says why:", () => {
    const all = EXAMPLES.map((example) => tensor(example));
    const changed = (type: string, change: Partial<Tensor>): object => ({
      inputs: all.map((input) => (input.name === `in_${type}` ? { ...input, ...change } : input)),
    });
    const table: [title: string, body: unknown, error: RegExp][] = [
      ["no inputs", {}, /^inputs: /],
      ["a body that is no object", [1], /body/],
      ["a missing input", { inputs: all.slice(1) }, /input in_bool is missing/],
      [
        "an unknown input",
        { inputs: [...all, { ...all[0], name: "other" }] },
        /no input other; the model takes in_bool/,
      ],
      ["an input given twice", { inputs: [...all, all[0]] }, /in_bool is given twice/],
      ["an unknown output", { inputs: all, outputs: [{ name: "nothing" }] }, /no output nothing/],
      ["another datatype", changed("float", { datatype: "FP64" }), /in_float is FP64, but the model takes FP32/],
      [
        "another width",
        changed("float", { shape: [1, 3], data: [1, 2, 3] }),
        /shape \[1,3\], but the model takes \[-1,2\]/,
      ],
      ["another rank", changed("float", { shape: [2] }), /shape \[2\]/],
      ["too few elements", changed("float", { data: [1] }), /has 1 elements, but its shape \[1,2\] says 2/],
      ["ragged nesting", changed("float", { shape: [2, 2], data: [[1, 2], [3]] }), /not everywhere 2 long at depth 2/],
      ["no rows", changed("float", { shape: [0, 2], data: [] }), /in_float is empty/],
      [
        "inputs of different numbers of rows",
        changed("float", { shape: [2, 2], data: [1, 2, 3, 4] }),
        /differ in their number of rows/,
      ],
      ["a negative size", changed("float", { shape: [-1, 2] }), /shape/],
      ["a word for a number", changed("float", { data: [1, "x"] }), /element 1 is no FP32: "x"/],
      ["a fraction for an integer", changed("int8", { data: [1, 1.5] }), /element 1 is no INT8: 1.5/],
      ["an integer that does not fit", changed("uint8", { data: [256, 0] }), /element 0 is no UINT8: 256/],
      [
        "an integer that JSON cannot carry exactly",
        changed("int64", { data: [9_007_199_254_740_992, 0] }),
        /element 0 is no INT64/,
      ],
      ["a number for a boolean", changed("bool", { data: [1, 0] }), /element 0 is no BOOL: 1/],
      ["a number for a text", changed("string", { data: ["a", 1] }), /element 1 is no BYTES: 1/],
    ];
    for (const [title, body, error] of table) {
      it(title, async () => {
        const { status, json } = await serving.post(INFER, body);
        expect(status).to.equal(400);
        expect(json).to.have.all.keys("error");
        expect(json["error"]).to.match(error);
      });
    }
  });

  it("knows no other model and no other version", async () => {
    for (const path of [
      "/v2/models/other/infer",
      "/v2/models/model/versions/8/infer",
      "/v2/models/other",
      "/v2/models/other/ready",
    ]) {
      const { status, json } = await (path.endsWith("infer") ? serving.post(path, {}) : serving.get(path));
      expect(status, path).to.equal(404);
      expect(json["error"]).to.match(/has model model version 7 only/);
    }
  });
});

describe("The v2 protocol of a model with a preprocessor", () => {
  const serving = new Serving(
    {
      "model.onnx": loan("1.0.0", "model.onnx"),
      "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
      "metadata.json": loan("1.0.0", "metadata.json"),
    },
    { MODEL_NAME: "loan" },
  );

  it("describes what clients send: the preprocessor's inputs, and the model's outputs", async () => {
    for (const path of ["/v2/models/loan", "/v2/models/loan/versions/1.0.0"]) {
      expect((await serving.get(path)).json).to.deep.equal({
        name: "loan",
        versions: ["1.0.0"],
        platform: "onnx_onnxv1",
        inputs: ["age", "income", "credit_score"].map((name) => ({ name, datatype: "FP32", shape: [-1, 1] })),
        outputs: [
          { name: "label", datatype: "INT64", shape: [-1] },
          { name: "probabilities", datatype: "FP32", shape: [-1, 2] },
        ],
      });
    }
  });

  it("is alive and ready, the server and the model", async () => {
    for (const path of [
      "/v2/health/live",
      "/v2/health/ready",
      "/v2/models/loan/ready",
      "/v2/models/loan/versions/1.0.0/ready",
    ]) {
      expect((await serving.get(path)).status, path).to.equal(200);
    }
    expect((await serving.get("/v2")).json).to.have.all.keys("name", "version", "extensions");
  });

  it("counts its predictions by class as /predict does", async () => {
    const column = (name: string, value: number): object => ({
      name,
      shape: [2, 1],
      datatype: "FP32",
      data: [value, value],
    });
    await serving.post("/v2/models/loan/infer", {
      inputs: [column("age", 18), column("income", 0), column("credit_score", 300)],
    });
    expect(await serving.text("/metrics")).to.include(
      'ml_predictions_total{model_version="1.0.0",prediction="rejected"} 2',
    );
  });

  it("answers request after request that differ in their numbers only, and tells of each what does not fit", async () => {
    const send = (age: unknown, income: unknown, score: unknown): ReturnType<Serving["post"]> => {
      const values = { age, income, credit_score: score };
      const column = ([name, value]: [string, unknown]): object => ({
        name,
        shape: [1, 1],
        datatype: "FP32",
        data: [value],
      });
      return serving.post("/v2/models/loan/infer", { inputs: Object.entries(values).map(column) });
    };
    for (const [age, income, score] of [
      [34, 52_000, 700],
      [18, 0, 300],
      [70, 1e5, 850],
    ] as const) {
      const { json } = await send(age, income, score);
      const [, probabilities] = json["outputs"] as { data: number[] }[];
      const predicted = await serving.post("/predict", { age, income, credit_score: score });
      expect(probabilities?.data[1]).to.equal(predicted.json["probability"]);
      const refused = await send(age, "much", score);
      expect(refused.json["error"]).to.equal('input income: element 0 is no FP32: "much"');
    }
  });
});

describe("A model of images", () => {
  const serving = new Serving({ "model.onnx": graph("image") });

  it("shares no run between requests of different sizes", async () => {
    const asked = [1, 3, 1, 3, 2].map((channels) => ({
      inputs: [
        {
          name: "pixels",
          shape: [1, channels, 2, 2],
          datatype: "FP32",
          data: Array.from({ length: channels * 4 }, () => channels),
        },
      ],
    }));
    const answers = await Promise.all(asked.map((body) => serving.post(INFER, body)));
    expect(answers.map(({ json }) => (json["outputs"] as Tensor[])[0]?.shape)).to.deep.equal(
      [1, 3, 1, 3, 2].map((channels) => [1, channels, 1, 1]),
    );
  });
});
