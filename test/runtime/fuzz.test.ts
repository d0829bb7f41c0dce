import { request } from "node:http";

import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { expect } from "chai";
import * as fc from "fast-check";

import { MODEL_INFER_REQUEST } from "../../runtime/grpc/inference-messages.ts";
import { CASES, Holdings, check } from "./support/fuzz.ts";
import { Serving } from "./support/serving.ts";
import { graph } from "./support/scratch.ts";

const ROW = { size: 4, color: "red" };
const INPUTS = [
  { name: "size", datatype: "FP32", shape: [1, 1], data: [4] },
  { name: "color", datatype: "BYTES", shape: [1, 1], data: ["red"] },
];

/** Statuses that say that the sender is wrong. Never 500: what is let through to this model can be computed. */
const REFUSALS = [400, 404, 405, 413, 415, 422];

describe("Whatever is sent", function () {
  this.timeout(120_000 + CASES * 20);
  const serving = new Serving(
    { "model.onnx": graph("words-and-numbers") },
    { GRPC_PORT: "0", MAX_BODY_BYTES: "65536" },
  );

  let held: Holdings;
  before(async () => {
    await Promise.all(Array.from({ length: 50 }, () => serving.post("/predict", ROW)));
    held = new Holdings();
  });

  /** The neighbour must be answered as if nothing else had come. */
  async function withNeighbour(send: Promise<number>): Promise<void> {
    const [status, neighbour] = await Promise.all([send, serving.post("/predict", ROW)]);
    expect([200, ...REFUSALS]).to.include(status);
    expect(neighbour.json["prediction"]).to.equal(3);
  }

  function send(path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { method: "POST", headers: { "content-type": "application/json", ...headers } };
      const sent = request(serving.url(path), options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          const length = response.headers["inference-header-content-length"];
          if (length === undefined) JSON.parse(text); // every answer is JSON
          resolve(response.statusCode ?? 0);
        });
      });
      sent.on("error", reject).end(body);
    });
  }

  const paths = fc.constantFrom(
    "/predict",
    "/invocations",
    "/feedback",
    "/v1/models/model:predict",
    "/v2/models/model/infer",
  );
  const keys = fc.constantFrom(
    "size",
    "color",
    "instances",
    "inputs",
    "dataframe_split",
    "dataframe_records",
    "columns",
    "data",
    "outputs",
    "name",
    "datatype",
    "shape",
    "parameters",
    "binary_data_size",
    "id",
    "feedback",
    "request_id",
    "truth",
    "__proto__",
    "constructor",
    "toString",
    "",
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(0, 1, -1, 1e308, 1.5, "red", "", null, true, "FP32", "BYTES", "size", "color"),
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.array(fc.tuple(keys, tie("json")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as unknown),
    ),
  }));

  it("as JSON is answered or refused", () =>
    check(fc.tuple(paths, json), 0.35, ([path, body]) => withNeighbour(send(path, JSON.stringify(body)))));

  it("as bytes, CSV or packed is answered or refused", () =>
    check(
      fc.tuple(
        paths,
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.string({ unit: fc.constantFrom(..."size,color\n\r\"1'x".split("")) }),
        ),
        fc.constantFrom<Record<string, string>>(
          {},
          { "content-type": "text/csv" },
          { "content-encoding": "gzip" },
          { "content-encoding": "deflate" },
        ),
      ),
      0.2,
      ([path, body, headers]) => withNeighbour(send(path, body, headers)),
    ));

  const nearlyInputs = fc
    .tuple(fc.nat(1), fc.constantFrom("name", "datatype", "shape", "data", "parameters"), json)
    .map(([index, key, value]) => INPUTS.map((input, at) => (at === index ? { ...input, [key]: value } : input)));

  it("as tensors that are nearly right is answered or refused", () =>
    check(nearlyInputs, 0.15, (inputs) => withNeighbour(send("/v2/models/model/infer", JSON.stringify({ inputs })))));

  it("as binary tensors is answered or refused", () =>
    check(
      fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(20), fc.nat(20), fc.integer({ min: -3, max: 3 })),
      0.1,
      ([raw, first, second, off]) => {
        const sizes = [first, second];
        const inputs = INPUTS.map((input, index) => ({
          ...input,
          data: undefined,
          parameters: { binary_data_size: sizes[index] },
        }));
        const text = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
        const headers = { "inference-header-content-length": String(text.length + off) };
        return withNeighbour(send("/v2/models/model/infer", Buffer.concat([text, raw]), headers));
      },
    ));

  it("as headers is answered or refused", () =>
    check(
      fc.tuple(
        fc.constantFrom(
          "content-type",
          "content-encoding",
          "x-request-id",
          "x-request-timeout-ms",
          "accept",
          "inference-header-content-length",
          "traceparent",
        ),
        fc.string({ unit: fc.constantFrom(...'abcxyz0189/;=-+. ,"'.split("")), maxLength: 30 }),
      ),
      0.1,
      async ([name, value]) => {
        const status = await send("/v2/models/model/infer", JSON.stringify({ inputs: INPUTS }), { [name]: value });
        // A timeout of a millisecond may well be over before the run begins.
        expect([200, ...(name === "x-request-timeout-ms" ? [504] : []), ...REFUSALS]).to.include(status);
      },
    ));

  it("as gRPC messages is answered or refused", async () => {
    const client = new Client(`127.0.0.1:${serving.grpcPort}`, credentials.createInsecure());
    const asIs = (bytes: Buffer): Buffer => bytes;
    const codeOf = (bytes: Uint8Array): Promise<Status> =>
      new Promise((resolve) => {
        const path = "/inference.GRPCInferenceService/ModelInfer";
        client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, Buffer.from(bytes), (error) => {
          resolve(error ? error.code : Status.OK);
        });
      });
    const message = MODEL_INFER_REQUEST.encode({
      model_name: "model",
      inputs: [
        { name: "size", datatype: "FP32", shape: [1n, 1n], contents: { fp32_contents: [4] } },
        { name: "color", datatype: "BYTES", shape: [1n, 1n], contents: { bytes_contents: ["red"] } },
      ],
    });
    const damaged = fc
      .array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
      .map((changes) => {
        const bytes = new Uint8Array(message);
        for (const [position, byte] of changes) bytes[position] = byte;
        return bytes;
      });
    try {
      expect(await codeOf(message)).to.equal(Status.OK);
      await check(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), 0.1, async (bytes) => {
        expect([Status.OK, Status.INVALID_ARGUMENT, Status.NOT_FOUND]).to.include(await codeOf(bytes));
      });
    } finally {
      client.close();
    }
  });

  it("leaves nothing behind, and was never the model's failure", async () => {
    expect(await serving.text("/metrics")).to.match(/^ml_requests_in_flight\S* 0$/m);
    expect(await serving.text("/metrics")).to.not.match(/reason="internal"/);
    await held.expectNoMore();
  });
});
