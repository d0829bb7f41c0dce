import { request } from "node:http";

import { expect } from "chai";

import { waitFor } from "../support/wait-for.ts";
import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

const APPLICANT = { age: 34, income: 52_000.5, credit_score: 700 };

describe("POST /predict", () => {
  const serving = new Serving({
    "model.onnx": loan("1.0.0", "model.onnx"),
    "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
    "metadata.json": loan("1.0.0", "metadata.json"),
  });

  describe("says what is wrong with which field, as FastAPI does:", () => {
    const without = (field: keyof typeof APPLICANT): object =>
      Object.fromEntries(Object.entries(APPLICANT).filter(([name]) => name !== field));
    const missing = { msg: "Field required", type: "missing" };
    const table: [title: string, body: unknown, detail: object[]][] = [
      ["a missing field", without("income"), [{ loc: ["body", "income"], ...missing }]],
      [
        "a word for a number",
        { ...APPLICANT, income: "abc" },
        [{ loc: ["body", "income"], msg: "Input should be a valid number", type: "float_type" }],
      ],
      [
        "a number in quotes",
        { ...APPLICANT, income: "52000" },
        [{ loc: ["body", "income"], msg: "Input should be a valid number", type: "float_type" }],
      ],
      [
        "true for a number",
        { ...APPLICANT, income: true },
        [{ loc: ["body", "income"], msg: "Input should be a valid number", type: "float_type" }],
      ],
      [
        "a fraction for an integer",
        { ...APPLICANT, age: 1.5 },
        [
          {
            loc: ["body", "age"],
            msg: "Input should be a valid integer, got a number with a fractional part",
            type: "int_from_float",
          },
        ],
      ],
      [
        "null where nothing may be missing",
        { ...APPLICANT, age: null },
        [{ loc: ["body", "age"], msg: "Input should be a valid integer", type: "int_type" }],
      ],
      [
        "a number that float32 cannot hold",
        { ...APPLICANT, income: 1e39 },
        [{ loc: ["body", "income"], msg: "Input should be a finite number", type: "finite_number" }],
      ],
      [
        "several fields at once",
        { age: "x" },
        [
          { loc: ["body", "age"], msg: "Input should be a valid integer", type: "int_type" },
          { loc: ["body", "income"], ...missing },
          { loc: ["body", "credit_score"], ...missing },
        ],
      ],
      [
        "the field of one instance",
        { instances: [APPLICANT, APPLICANT, without("income")] },
        [{ loc: ["body", "instances", 2, "income"], ...missing }],
      ],
      [
        "an instance that is no object",
        { instances: [APPLICANT, 3] },
        [
          {
            loc: ["body", "instances", 1],
            msg: "Input should be a valid dictionary or object to extract fields from",
            type: "model_attributes_type",
          },
        ],
      ],
      [
        "instances that are no list",
        { instances: APPLICANT },
        [{ loc: ["body", "instances"], msg: "Input should be a valid list", type: "list_type" }],
      ],
      [
        "no instance at all",
        { instances: [] },
        [
          {
            loc: ["body", "instances"],
            msg: "List should have at least 1 item after validation, not 0",
            type: "too_short",
          },
        ],
      ],
      [
        "a body that is no object",
        [APPLICANT],
        [
          {
            loc: ["body"],
            msg: "Input should be a valid dictionary or object to extract fields from",
            type: "model_attributes_type",
          },
        ],
      ],
    ];
    for (const [title, body, detail] of table) {
      it(title, async () => {
        const { status, json } = await serving.post("/predict", body);
        expect(status).to.equal(422);
        expect(json["detail"]).to.deep.equal(detail);
      });
    }

    it("an infinite number, which JSON can only say by its exponent", async () => {
      const { status, json } = await serving.post("/predict", '{"age": 34, "income": 1e999, "credit_score": 700}');
      expect(status).to.equal(422);
      expect(json["detail"]).to.deep.equal([
        { loc: ["body", "income"], msg: "Input should be a finite number", type: "finite_number" },
      ]);
    });

    it("of at most a hundred fields", async () => {
      const { json } = await serving.post("/predict", { instances: Array.from({ length: 1000 }, () => ({})) });
      expect(json["detail"]).to.have.length(100);
    });
  });

  it("ignores fields that are no features, even those that every object inherits", async () => {
    const { status } = await serving.post("/predict", { ...APPLICANT, constructor: 1, name: "Ada" });
    expect(status).to.equal(200);
  });

  it("takes the caller's request id, in the answer and in its header", async () => {
    const { json, headers } = await serving.post("/predict", APPLICANT, { "x-request-id": "order-66" });
    expect(json["request_id"]).to.equal("order-66");
    expect(headers.get("x-request-id")).to.equal("order-66");
  });

  it("makes its own request id when the caller's is none that may be logged", async () => {
    for (const id of ["x".repeat(129), "tab\tinside", ""]) {
      const { json } = await serving.post("/predict", APPLICANT, { "x-request-id": id });
      expect(json["request_id"]).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    }
  });

  describe("refuses what it cannot read, always in JSON:", () => {
    const table: [title: string, body: unknown, headers: Record<string, string>, status: number, detail: RegExp][] = [
      ["broken JSON, with the position", '{"age": 34, "income": abc}', {}, 400, /at position 22/],
      ["an empty body", "", {}, 400, /at position 0/],
      ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), {}, 400, /UTF-8/],
      ["a form", "age=34", { "content-type": "application/x-www-form-urlencoded" }, 415, /application\/json/],
      ["a body that is not compressed as it says", "{}", { "content-encoding": "gzip" }, 400, /no gzip/],
      ["an encoding that it does not know", "{}", { "content-encoding": "br" }, 415, /is br: send gzip or deflate/],
    ];
    for (const [title, body, headers, expected, detail] of table) {
      it(title, async () => {
        const { status, json } = await serving.post("/predict", body, headers);
        expect(status).to.equal(expected);
        expect(JSON.stringify(json["detail"])).to.match(detail);
      });
    }

    it("any method but POST, naming it", async () => {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const { status, headers } = await serving.get("/predict", { method });
        expect(status).to.equal(405);
        expect(headers.get("allow")).to.equal("POST");
      }
    });
  });
});

describe("POST /predict with a large body", () => {
  const serving = new Serving({ "model.onnx": graph("regressor") }, { MAX_BODY_BYTES: "1000" });

  it("is refused with 413, and the client gets to see it", async () => {
    const { status, json } = await serving.post("/predict", {
      instances: Array.from({ length: 100 }, () => ({ f0: 1, f1: 2, f2: 3 })),
    });
    expect(status).to.equal(413);
    expect(json["detail"]).to.match(/MAX_BODY_BYTES/);
  });

  it("shares its memory with the others that are being sent, and one too many has to wait", async () => {
    const headers = { "content-type": "application/json" };
    const open = Array.from({ length: 16 }, () => request(serving.url("/predict"), { method: "POST", headers }));
    const gone = open.map((each) => new Promise((resolve) => each.on("close", resolve)));
    for (const each of open) each.on("error", () => undefined).write(`{${" ".repeat(998)}`);
    await waitFor(async () => /ml_requests_in_flight\S* 16$/m.test(await serving.text("/metrics")));
    await waitFor(async () => (await serving.post("/predict", { f0: 1, f1: 2, f2: 3 })).status === 503);

    for (const each of open) each.destroy();
    await Promise.all(gone);
    await waitFor(async () => (await serving.post("/predict", { f0: 1, f1: 2, f2: 3 })).status === 200);
  });

  it("is no obstacle to the next request", async () => {
    expect((await serving.post("/predict", { f0: 1, f1: 2, f2: 3 })).status).to.equal(200);
  });
});

describe("POST /predict answers in the model's own terms:", () => {
  describe("a model without metadata.json", () => {
    const serving = new Serving({ "model.onnx": graph("regressor") });

    it("has features f0 to f2, and a regressor gives a number", async () => {
      const { json } = await serving.post("/predict", { f0: 1, f1: 1, f2: 2 });
      expect(json["prediction"]).to.be.closeTo(9, 1e-4);
      expect(json).to.not.have.any.keys("probability", "probabilities");
    });
  });

  describe("a request of many thousand rows", () => {
    const serving = new Serving({ "model.onnx": graph("regressor") });

    it("keeps their order", async () => {
      const instances = Array.from({ length: 5000 }, (_, index) => ({ f0: index + 1, f1: 0, f2: 0 }));
      const { json } = await serving.post("/predict", { instances });
      const predictions = json["predictions"] as { prediction: number }[];
      expect(predictions.map(({ prediction }) => Math.round(prediction))).to.deep.equal(instances.map(({ f0 }) => f0));
    });
  });

  describe("a classifier of words", () => {
    const serving = new Serving({
      "model.onnx": graph("three-words"),
      "metadata.json": { features: ["a", "b", "c"], classes: ["high", "low", "mid"] },
    });

    it("gives the word, and of several classes the predicted one's probability", async () => {
      const { json } = await serving.post("/predict", { a: 3, b: 0, c: 0 });
      const probabilities = json["probabilities"] as Record<string, number>;
      expect(json["prediction"]).to.equal("mid");
      expect(probabilities).to.have.all.keys("high", "low", "mid");
      expect(json["probability"]).to.equal(probabilities["mid"]);
      expect(probabilities["mid"]).to.be.greaterThan(0.5);
    });
  });

  describe("a classifier of numbers", () => {
    const serving = new Serving({ "model.onnx": graph("two-numbers"), "metadata.json": { classes: [5, 15] } });

    it("gives the number that was the label in training, not its position", async () => {
      const { json } = await serving.post("/predict", { f0: 3, f1: 0, f2: 0 });
      expect(json["prediction"]).to.equal(15);
      expect(json["probability"]).to.equal((json["probabilities"] as Record<string, number>)["15"]);
    });
  });

  describe("a classifier whose classes nobody named", () => {
    const serving = new Serving({ "model.onnx": graph("two-numbers") });

    it("gives the model's label, and the probabilities in the model's order", async () => {
      const { json } = await serving.post("/predict", { f0: 3, f1: 0, f2: 0 });
      expect(json["prediction"]).to.equal(15);
      expect(json["probability"]).to.equal((json["probabilities"] as number[])[1]);
    });
  });

  describe("words and numbers that may be missing", () => {
    const features = [
      { name: "color", type: "string" },
      { name: "size", type: "number", nullable: true },
    ];
    const serving = new Serving({ "model.onnx": graph("words-and-numbers"), "metadata.json": { features } });

    it("are fed by name, whatever their order", async () => {
      const { json } = await serving.post("/predict", {
        instances: [
          { size: 9, color: "green" },
          { color: "red", size: 4 },
          { color: "blue", size: 1 },
        ],
      });
      expect((json["predictions"] as { prediction: number }[]).map(({ prediction }) => prediction)).to.deep.equal([
        5, 3, 1,
      ]);
    });

    it("may be null where metadata.json allows it, and NaN is answered as null", async () => {
      const { status, json } = await serving.post("/predict", { color: "red", size: null });
      expect(status).to.equal(200);
      expect(json["prediction"]).to.equal(null);
      expect((await serving.post("/predict", { color: null, size: 1 })).status).to.equal(422);
    });
  });

  describe("a model that takes one row a run", () => {
    const serving = new Serving({ "model.onnx": graph("one-row") });

    it("still answers more rows than may wait for a run", async () => {
      const { status, json } = await serving.post("/predict", {
        instances: Array.from({ length: 1500 }, () => ({ f0: 1, f1: 1, f2: 1 })),
      });
      expect(status).to.equal(200);
      expect(json["predictions"]).to.have.length(1500);
    });

    it("still answers many rows, and many clients at once", async () => {
      const instances = [
        [1, 2, 3],
        [4, 5, 6],
      ].map(([f0, f1, f2]) => ({ f0, f1, f2 }));
      const answers = await Promise.all(Array.from({ length: 20 }, () => serving.post("/predict", { instances })));
      for (const { json } of answers) {
        expect(json["predictions"]).to.deep.equal([{ prediction: 6 }, { prediction: 15 }]);
      }
    });
  });

  describe("a model without named fields", () => {
    const serving = new Serving({ "model.onnx": graph("image") });

    it("points to infer", async () => {
      const { status, json } = await serving.post("/predict", { pixels: 1 });
      expect(status).to.equal(422);
      expect(JSON.stringify(json["detail"])).to.include("/v2/models/model/infer");
    });
  });
});

describe("A request that makes the model fail", () => {
  const serving = new Serving({ "model.onnx": graph("lookup"), "metadata.json": { features: ["index"] } });

  it("fails alone, though it shared its run with others", async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => serving.post("/predict", { index: index === 17 ? 99 : index % 3 })),
    );
    answers.forEach(({ status, json }, index) => {
      expect(status).to.equal(index === 17 ? 500 : 200);
      if (index !== 17) expect(json["prediction"]).to.equal(10 * ((index % 3) + 1));
    });
    expect(await serving.text("/metrics")).to.include(
      'ml_prediction_errors_total{model_version="default",reason="internal"} 1',
    );
  });
});
