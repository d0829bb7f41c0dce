import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

const ROWS = [
  [34, 52_000.5, 700],
  [18, 0, 300],
] as const;
const COLUMNS = ["age", "income", "credit_score"];
const RECORDS = ROWS.map(([age, income, credit_score]) => ({ age, income, credit_score }));
const CSV = { "content-type": "text/csv" };

describe("Rows of named fields", () => {
  const serving = new Serving(
    {
      "model.onnx": loan("1.0.0", "model.onnx"),
      "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
      "metadata.json": loan("1.0.0", "metadata.json"),
    },
    { MODEL_NAME: "loan" },
  );
  const forms: [title: string, body: unknown, headers?: Record<string, string>][] = [
    ["instances of records", { instances: RECORDS }],
    ["instances of values in the features' order", { instances: ROWS }],
    ["dataframe_records", { dataframe_records: RECORDS }],
    [
      "dataframe_split, in any order of columns",
      {
        dataframe_split: {
          index: [0, 1],
          columns: [...COLUMNS].reverse(),
          data: ROWS.map((row) => [...row].reverse()),
        },
      },
    ],
    ["inputs by column", { inputs: Object.fromEntries(COLUMNS.map((name, i) => [name, ROWS.map((row) => row[i])])) }],
    ["inputs of records", { inputs: RECORDS }],
    ["CSV", `age,"income",credit_score,note\r\n34,52000.5,700,"a, ""b""\nc"\r\n18,0,300,\r\n`, CSV],
  ];
  for (const [title, body, headers] of forms) {
    it(`may come as ${title}, at /predict, /invocations and v1's path alike`, async () => {
      const own = await serving.post("/predict", body, headers);
      expect(own.status, JSON.stringify(own.json)).to.equal(200);
      const predictions = own.json["predictions"] as { prediction: string }[];
      expect(predictions.map(({ prediction }) => prediction)).to.deep.equal(["approved", "rejected"]);
      for (const path of ["/invocations", "/v1/models/loan:predict", "/v1/models/loan/versions/1.0.0:predict"]) {
        const { json } = await serving.post(path, body, headers);
        expect(json, path).to.deep.equal({ predictions: ["approved", "rejected"] });
      }
    });
  }

  it("are a single row by inputs of single values", async () => {
    const { json } = await serving.post("/invocations", { inputs: RECORDS[0] });
    expect(json).to.deep.equal({ predictions: ["approved"] });
  });

  const split = (columns: unknown, data: unknown): object => ({ dataframe_split: { columns, data } });
  const wrong: [
    title: string,
    body: unknown,
    loc: (string | number)[],
    msg: RegExp,
    headers?: Record<string, string>,
  ][] = [
    ["a wrong value", split(COLUMNS, [ROWS[0], [1, "x", 2]]), ["dataframe_split", "data", 1, "income"], /valid number/],
    [
      "a missing column",
      split(["age", "income"], [[1, 2]]),
      ["dataframe_split", "data", 0, "credit_score"],
      /required/,
    ],
    ["a ragged row", split(COLUMNS, [ROWS[0], [1]]), ["dataframe_split", "data"], /Row 1 should be a list of 3/],
    ["columns that are none", split("age", []), ["dataframe_split", "columns"], /valid list/],
    ["a column given twice", split(["age", "age"], []), ["dataframe_split", "columns"], /same name/],
    ["no rows", { dataframe_records: [] }, ["dataframe_records"], /at least 1/],
    ["records that are no list", { dataframe_records: {} }, ["dataframe_records"], /valid list/],
    ["too few values", { instances: [[1, 2]] }, ["instances", 0], /dictionary/],
    ["columns of different lengths", { inputs: { age: [1, 2], income: [1] } }, ["inputs", "income"], /2 values/],
    ["a word in CSV", "age,income,credit_score\n1,x,3", ["csv", 0, "income"], /valid number/, CSV],
    ["an empty field in CSV", "age,income,credit_score\n1,,3", ["csv", 0, "income"], /valid number/, CSV],
    ["a short line of CSV", "age,income,credit_score\n1,2", ["csv", 0], /3 fields/, CSV],
    ["a stray quote in CSV", 'age,income\n1,2"3', ["csv", 13], /stray quote/, CSV],
    ["CSV without rows", "age,income,credit_score\n", ["csv"], /at least 1/, CSV],
    ["no CSV at all", "", ["csv"], /at least 1/, CSV],
  ];
  for (const [title, body, loc, msg, headers] of wrong) {
    it(`are refused with the place of ${title}`, async () => {
      const { status, json } = await serving.post("/predict", body, headers);
      expect(status, JSON.stringify(json)).to.equal(422);
      const [problem] = json["detail"] as { loc: unknown[]; msg: string }[];
      expect(problem?.loc).to.deep.equal(["body", ...loc]);
      expect(problem?.msg).to.match(msg);
    });
  }

  it("are refused in each protocol's own words", async () => {
    const body = { instances: [{ ...RECORDS[0], income: "x" }] };
    const mlflow = await serving.post("/invocations", body);
    expect([mlflow.status, mlflow.json]).to.deep.equal([
      400,
      { error_code: "BAD_REQUEST", message: "instances.0.income: Input should be a valid number" },
    ]);
    const v1 = await serving.post("/v1/models/loan:predict", body);
    expect([v1.status, v1.json]).to.deep.equal([400, { error: "instances.0.income: Input should be a valid number" }]);
    expect((await serving.post("/v1/models/other:predict", body)).status).to.equal(404);
  });

  it("come to a model that says at v1's path and at MLflow's that it is ready", async () => {
    const { json } = await serving.get("/v1/models/loan");
    expect(json).to.deep.include({ name: "loan", ready: true });
    expect(json["model_version_status"]).to.have.deep.nested.property("[0].version", "1.0.0");
    expect((await fetch(serving.url("/ping"))).status).to.equal(200);
  });
});

describe("Rows of tensors", () => {
  const serving = new Serving({ "model.onnx": graph("image") });
  const image = (value: number): number[][][] => [
    [
      [value, value],
      [value, value],
    ],
  ];

  for (const [title, body] of [
    ["instances", { instances: [image(1), image(2)] }],
    ["instances by input", { instances: [{ pixels: image(1) }, { pixels: image(2) }] }],
    ["inputs", { inputs: [image(1), image(2)] }],
    ["inputs by name", { inputs: { pixels: [image(1), image(2)] } }],
  ] as const) {
    it(`are nested arrays: ${title}`, async () => {
      for (const path of ["/v1/models/model:predict", "/invocations"]) {
        const { json } = await serving.post(path, body);
        expect(json).to.deep.equal({ predictions: [[[[1]]], [[[2]]]] });
      }
    });
  }

  it("are refused when they are ragged, missing or incomplete", async () => {
    for (const [body, error] of [
      [{ instances: [image(1), [[[1]]]] }, /not everywhere 2 long/],
      [{}, /pixels is missing/],
      [{ instances: [{ pixels: image(1) }, {}] }, /not everywhere 1 long/],
      [{ instances: [1] }, /shape \[1\]/],
    ] as const) {
      const { status, json } = await serving.post("/v1/models/model:predict", body);
      expect(json["error"]).to.match(error);
      expect(status).to.equal(400);
    }
  });
});
