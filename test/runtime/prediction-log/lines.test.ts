import { Client, Metadata, credentials } from "@grpc/grpc-js";
import { expect } from "chai";

import { MODEL_INFER_REQUEST } from "../../../runtime/grpc/inference-messages.ts";
import { graph, loan } from "../support/scratch.ts";
import { Serving } from "../support/serving.ts";
import { LogFile } from "./log-file.ts";
import type { LoggedLine } from "./log-file.ts";

const APPLICANT = { age: 34, income: 52_000.5, credit_score: 700 };
const ONE_MATRIX = {
  "model.onnx": loan("1.0.0", "model.onnx"),
  "metadata.json": { features: ["age", "income", "credit_score"], classes: ["rejected", "approved"], target: "status" },
};
const COLUMNS = {
  "model.onnx": loan("1.0.0", "model.onnx"),
  "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
  "metadata.json": loan("1.0.0", "metadata.json"),
};
const matrix = (data: readonly number[]): object => ({
  inputs: [{ name: "features", shape: [data.length / 3, 3], datatype: "FP32", data }],
});
const V2 = "/v2/models/loan/infer";

describe("A line of the prediction log", () => {
  const log = new LogFile();
  const serving = new Serving(COLUMNS, {
    LOG_PREDICTIONS_SINK: log.sink,
    LOG_PREDICTIONS_KEY_HEADER: "X-User-Id",
    MODEL_NAME: "loan",
    MODEL_VARIANT: "v1",
    MODEL_REVISION: "v1-x7k2p9qd",
    GRPC_PORT: "0",
  });
  const columns = (values: readonly (readonly number[])[]): object => ({
    inputs: Object.keys(APPLICANT).map((name, index) => {
      return { name, shape: [values.length, 1], datatype: "FP32", data: values.map((row) => row[index]) };
    }),
  });

  it("says who asked what, of whom, and what was answered", async () => {
    const before = Date.now();
    const { json } = await serving.post("/predict", APPLICANT, { "x-user-id": "alice", "x-request-id": "first" });
    const { time, latency_ms, ...line } = await log.lineOf("first");
    expect(line).to.deep.equal({
      log: "prediction",
      request_id: "first",
      key: "alice",
      model: "loan",
      model_version: "1.0.0",
      model_variant: "v1",
      revision: "v1-x7k2p9qd",
      protocol: "predict",
      rows: 1,
      inputs: [APPLICANT],
      outputs: [
        { prediction: json["prediction"], probability: json["probability"], probabilities: json["probabilities"] },
      ],
    });
    expect(Date.parse(time as string)).to.be.within(before, Date.now());
    expect(latency_ms).to.be.greaterThan(0);
  });

  it("has the part of a self-describing request id that does not tell the prediction", async () => {
    const { json } = await serving.post("/predict", APPLICANT);
    const [uuid, payload] = (json["request_id"] as string).split(".");
    expect(payload).to.be.a("string");
    expect(await log.lineOf(uuid as string)).to.not.have.property("key");
  });

  const many = { instances: [APPLICANT, { age: 18, income: 0, credit_score: 300 }] };
  const bodies: [protocol: string, path: string, body: unknown][] = [
    ["predict", "/predict", many],
    ["invocations", "/invocations", many],
    ["v1", "/v1/models/loan:predict", many],
    ["v2", V2, columns([Object.values(APPLICANT), [18, 0, 300]])],
  ];
  for (const [protocol, path, body] of bodies) {
    it(`has rows by field and predictions by row, whether they came by ${protocol} or otherwise`, async () => {
      const { status, json } = await serving.post(path, body, { "x-request-id": `by-${protocol}` });
      expect(status, JSON.stringify(json)).to.equal(200);
      const line = await log.lineOf(`by-${protocol}`);
      expect(line).to.deep.include({ protocol, rows: 2, inputs: many.instances });
      const outputs = line["outputs"] as { prediction: string }[];
      expect(outputs.map(({ prediction }) => prediction)).to.deep.equal(["approved", "rejected"]);
    });
  }

  it("is the same for gRPC, whose metadata are the headers", async () => {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const metadata = new Metadata();
    metadata.set("x-request-id", "by-grpc");
    metadata.set("x-user-id", "bob");
    const bytes = MODEL_INFER_REQUEST.encode({
      model_name: "loan",
      inputs: Object.entries(APPLICANT).map(([name, value]) => {
        return { name, datatype: "FP32", shape: [1n, 1n], contents: { fp32_contents: [value] } };
      }),
    });
    const client = new Client(`127.0.0.1:${serving.grpcPort}`, credentials.createInsecure());
    await new Promise<void>((resolve, reject) => {
      const path = "/inference.GRPCInferenceService/ModelInfer";
      client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, bytes, metadata, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    client.close();
    expect(await log.lineOf("by-grpc")).to.deep.include({ protocol: "grpc", key: "bob", inputs: [APPLICANT] });
  });

  it("is not written for requests that were refused", async () => {
    expect((await serving.post("/predict", { age: 1 }, { "x-request-id": "refused" })).status).to.equal(422);
    await serving.post("/predict", APPLICANT, { "x-request-id": "after" });
    await log.lineOf("after");
    expect((await log.lines()).some((line) => line["request_id"] === "refused")).to.equal(false);
  });

  it("cannot be forged by what a request brings", async () => {
    const key = 'x","log":"forged';
    await serving.post("/predict", APPLICANT, { "x-user-id": key, "x-request-id": 'a"b' });
    expect(await log.lineOf('a"b')).to.deep.include({ log: "prediction", key });
  });
});

describe("A line of a model without named fields", () => {
  const log = new LogFile();
  const serving = new Serving(
    { "model.onnx": graph("identity") },
    { LOG_PREDICTIONS_SINK: log.sink, LOG_PREDICTIONS_MAX_VALUES: "48", LOG_PREDICTIONS_REDACT: "in_float,out_float" },
  );
  const types = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double"];
  const datatype = (type: string): string =>
    ({ bool: "BOOL", float: "FP32", double: "FP64" })[type] ?? type.toUpperCase();

  const asked = (rows: number): { inputs: { name: string; shape: number[]; datatype: string; data: unknown[] }[] } => ({
    inputs: [
      ...types.map((type) => {
        const data = Array.from({ length: 2 * rows }, () => (type === "bool" ? true : 1));
        return { name: `in_${type}`, shape: [rows, 2], datatype: datatype(type), data };
      }),
      {
        name: "in_string",
        shape: [rows, 2],
        datatype: "BYTES",
        data: Array.from({ length: 2 * rows }, () => "ü".repeat(2000)),
      },
    ],
  });
  const tensorOf = (line: LoggedLine, of: "inputs" | "outputs", name: string): Record<string, unknown> =>
    (line[of] as Record<string, unknown>[]).find((tensor) => tensor["name"] === name) ?? {};

  it("has tensors as the v2 protocol has them, without what is redacted, and long texts cut", async () => {
    const body = asked(1);
    expect((await serving.post("/v2/models/model/infer", body, { "x-request-id": "tensors" })).status).to.equal(200);
    const line = await log.lineOf("tensors");
    expect(line).to.not.have.property("truncated");
    for (const type of types.filter((type) => type !== "float")) {
      const sent = body.inputs.find(({ name }) => name === `in_${type}`);
      expect(tensorOf(line, "inputs", `in_${type}`)).to.deep.equal(sent);
      expect(tensorOf(line, "outputs", `out_${type}`)).to.deep.equal({ ...sent, name: `out_${type}` });
    }
    expect(tensorOf(line, "inputs", "in_float")["data"]).to.equal("[redacted]");
    expect(tensorOf(line, "outputs", "out_float")["data"]).to.equal("[redacted]");
    const cut = `${"ü".repeat(1024)}…`;
    expect(tensorOf(line, "inputs", "in_string")["data"]).to.deep.equal([cut, cut]);
  });

  it("has the first values of large tensors, with their whole shape, and says so", async () => {
    await serving.post("/v2/models/model/infer", asked(50), { "x-request-id": "large" });
    const line = await log.lineOf("large");
    expect(line).to.include({ rows: 50, truncated: true });
    expect(tensorOf(line, "inputs", "in_int8")).to.deep.equal({
      name: "in_int8",
      datatype: "INT8",
      shape: [50, 2],
      data: [1, 1, 1, 1],
    });
    expect(tensorOf(line, "outputs", "out_bool")).to.deep.include({ shape: [50, 2], data: [true, true, true, true] });
  });
});

for (const [title, environment] of [
  ["binary tensors", {}],
  ["binary tensors that were handed to another thread", { INLINE_RUN_MS: "0" }],
] as const) {
  describe(`A line of ${title}`, () => {
    const log = new LogFile();
    const options = { LOG_PREDICTIONS_SINK: log.sink, LOG_PREDICTIONS_MAX_VALUES: "6", ...environment };
    const serving = new Serving({ "model.onnx": graph("lookup") }, options);

    async function lineOf(id: string, indices: readonly bigint[]): Promise<LoggedLine> {
      const bytes = Buffer.from(BigInt64Array.from(indices).buffer);
      const parameters = { binary_data_size: bytes.length };
      const json = JSON.stringify({
        inputs: [{ name: "index", shape: [indices.length, 1], datatype: "INT64", parameters }],
        parameters: { binary_data_output: true },
      });
      const headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": String(json.length),
        "x-request-id": id,
      };
      const body = Buffer.concat([Buffer.from(json), bytes]);
      const answer = await fetch(serving.url("/v2/models/model/infer"), { method: "POST", headers, body });
      expect(answer.status, await answer.text()).to.equal(200);
      return log.lineOf(id);
    }

    it("has their values", async () => {
      const line = await lineOf("whole", [2n, 0n]);
      expect(line).to.not.have.property("truncated");
      expect(line["inputs"]).to.deep.equal([{ index: 2 }, { index: 0 }]);
      expect(line["outputs"]).to.deep.equal([{ prediction: 30 }, { prediction: 10 }]);
    });

    it("says when it has not all of them", async () => {
      const line = await lineOf("cut", Array<bigint>(20).fill(1n));
      expect(line).to.include({ truncated: true, rows: 20 });
      expect(line["inputs"]).to.deep.equal(Array.from({ length: 6 }, () => ({ index: 1 })));
      expect(line["outputs"]).to.deep.equal(Array.from({ length: 6 }, () => ({ prediction: 20 })));
    });
  });
}

describe("Redaction", () => {
  const cases: [title: string, names: string, hidden: readonly string[]][] = [
    ["a column", "income", ["income"]],
    ["several, as a JSON list", '["income","age"]', ["income", "age"]],
    ["a matrix, and with it all of its columns", "features", ["age", "income", "credit_score"]],
  ];
  for (const [title, names, hidden] of cases) {
    describe(`of ${title}`, () => {
      const log = new LogFile();
      const serving = new Serving(ONE_MATRIX, {
        LOG_PREDICTIONS_SINK: log.sink,
        LOG_PREDICTIONS_REDACT: names,
        MODEL_NAME: "loan",
      });
      it("hides it by every protocol", async () => {
        const shown = Object.fromEntries(
          Object.entries(APPLICANT).map(([name, value]) => [name, hidden.includes(name) ? "[redacted]" : value]),
        );
        await serving.post("/predict", APPLICANT, { "x-request-id": "named" });
        await serving.post(V2, matrix(Object.values(APPLICANT)), { "x-request-id": "matrix" });
        for (const id of ["named", "matrix"]) {
          const line = await log.lineOf(id);
          expect(line["inputs"]).to.deep.equal([shown]);
          expect(line["outputs"]).to.have.nested.property("[0].prediction");
        }
      });
    });
  }

  for (const name of ["prediction", "probabilities", "status"]) {
    describe(`of ${name}`, () => {
      const log = new LogFile();
      const sink = { LOG_PREDICTIONS_SINK: log.sink, LOG_PREDICTIONS_REDACT: `${name},X-User-Id`, MODEL_NAME: "loan" };
      const serving = new Serving(ONE_MATRIX, { ...sink, LOG_PREDICTIONS_KEY_HEADER: "x-user-id" });
      it("hides everything that the answer tells of a row, and the user by the header's name", async () => {
        const { json } = await serving.post("/predict", APPLICANT, { "x-user-id": "alice" });
        const line = await log.lineOf((json["request_id"] as string).split(".")[0] as string);
        expect(line).to.include({ outputs: "[redacted]", key: "[redacted]" });
        expect(JSON.stringify(line)).to.not.match(/alice|approved|rejected/);
        await serving.post(V2, matrix([1, 2, 3]), { "x-request-id": "v2" });
        expect((await log.lineOf("v2"))["outputs"]).to.equal("[redacted]");
      });
    });
  }
});

describe("A sample of the predictions", () => {
  const log = new LogFile();
  const serving = new Serving(ONE_MATRIX, { LOG_PREDICTIONS_SINK: log.sink, LOG_PREDICTIONS_SAMPLE: "0" });

  it("may be none of them", async () => {
    for (let index = 0; index < 20; index += 1) await serving.post("/predict", APPLICANT);
    expect(await log.lines()).to.deep.equal([]);
    const metrics = await serving.text("/metrics");
    expect(metrics).to.match(/^ml_prediction_log_written_total\{model_version="[^"]*"\} 0$/m);
    expect(metrics).to.match(/^ml_prediction_log_dropped_total\{[^}]*reason="queue_full"\} 0$/m);
  });
});
