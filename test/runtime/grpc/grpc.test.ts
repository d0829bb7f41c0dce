import { Client, credentials, status as Status } from "@grpc/grpc-js";
import type { ClientUnaryCall, ServiceError } from "@grpc/grpc-js";
import { expect } from "chai";

import { MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE } from "../../../runtime/grpc/inference-messages.ts";
import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";
import { waitFor } from "../support/wait-for.ts";

const PACKAGE = "/inference.GRPCInferenceService";
const asIs = (bytes: Buffer): Buffer => bytes;
type Request = Parameters<typeof MODEL_INFER_REQUEST.encode>[0];

describe("gRPC", () => {
  const serving = new Serving({ "model.onnx": graph("lookup") }, { GRPC_PORT: "0" });
  let client: Client;
  before(() => {
    client = new Client(`127.0.0.1:${serving.grpcPort}`, credentials.createInsecure());
  });
  after(() => client.close());

  function call(path: string, bytes: Buffer, deadline = Date.now() + 10_000): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, bytes, { deadline }, (error, answer) => {
        if (error) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      });
    });
  }

  async function infer(request: Request): Promise<ReturnType<typeof MODEL_INFER_RESPONSE.decode>> {
    return MODEL_INFER_RESPONSE.decode(await call(`${PACKAGE}/ModelInfer`, MODEL_INFER_REQUEST.encode(request)));
  }

  const asking = (indices: readonly bigint[]): Request => ({
    model_name: "model",
    inputs: [
      {
        name: "index",
        datatype: "INT64",
        shape: [BigInt(indices.length), 1n],
        contents: { int64_contents: indices },
      },
    ],
  });

  it("answers in the form in which it was asked", async () => {
    const answer = await infer({ ...asking([2n, 0n]), id: "7" });
    expect(answer).to.include({ model_name: "model", id: "7" });
    expect(answer.outputs[0]).to.deep.include({ name: "value", datatype: "FP32", shape: [2n, 1n] });
    expect(answer.outputs[0]?.contents?.fp32_contents).to.deep.equal([30, 10]);
    expect(answer.raw_output_contents).to.have.length(0);

    const raw = await infer({
      model_name: "model",
      inputs: [{ name: "index", datatype: "INT64", shape: [1n, 1n] }],
      raw_input_contents: [new Uint8Array(BigInt64Array.of(1n).buffer)],
    });
    expect(Buffer.from(raw.raw_output_contents[0]!).readFloatLE()).to.equal(20);
  });

  it("shares runs with other calls, and a call that fails does not fail its neighbours", async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => infer(asking([BigInt(index % 4)]))),
    );
    answers.forEach((answer, index) => {
      if (index % 4 === 3) expect((answer as PromiseRejectedResult).reason).to.include({ code: Status.INTERNAL });
      else if (answer.status === "rejected") throw answer.reason;
      else expect(answer.value.outputs[0]?.contents?.fp32_contents).to.deep.equal([(index % 4) * 10 + 10]);
    });
  });

  const refusals: [title: string, bytes: Buffer, code: Status, details: RegExp][] = [
    ["bytes that are no message", Buffer.from("no message"), Status.INVALID_ARGUMENT, /wire type|cut off/],
    ["no inputs", MODEL_INFER_REQUEST.encode({ model_name: "model" }), Status.INVALID_ARGUMENT, /index is missing/],
    ["another model", MODEL_INFER_REQUEST.encode({ model_name: "other" }), Status.NOT_FOUND, /has model model/],
    [
      "a negative size",
      MODEL_INFER_REQUEST.encode({
        model_name: "model",
        inputs: [{ name: "index", datatype: "INT64", shape: [-1n, 1n] }],
      }),
      Status.INVALID_ARGUMENT,
      /shape \[-1,1\]/,
    ],
  ];
  for (const [title, bytes, code, details] of refusals) {
    it(`refuses ${title}`, async () => {
      const error = await call(`${PACKAGE}/ModelInfer`, bytes).then(
        () => undefined,
        (error: ServiceError) => error,
      );
      expect(error?.details).to.match(details);
      expect(error?.code).to.equal(code);
    });
  }

  it("counts its predictions as HTTP does", async () => {
    const count = async (): Promise<number> =>
      Number(/ml_prediction_latency_seconds_count\S+ (\d+)/.exec(await serving.text("/metrics"))?.[1]);
    const before = await count();
    await infer(asking([0n]));
    expect(await count()).to.equal(before + 1);
  });
});

describe("gRPC calls that nobody waits for any more", () => {
  const serving = new Serving({ "model.onnx": graph("slow") }, { GRPC_PORT: "0", BATCH_MAX_SIZE: "1" });
  const calls: [title: string, milliseconds: number, end: (call: ClientUnaryCall) => void, code: Status][] = [
    ["since they were cancelled", 60_000, (call) => call.cancel(), Status.CANCELLED],
    ["since their deadline is past", 500, () => undefined, Status.DEADLINE_EXCEEDED],
  ];
  const message = MODEL_INFER_REQUEST.encode({
    model_name: "model",
    inputs: [{ name: "x", datatype: "FP32", shape: [1n, 1n], contents: { fp32_contents: [1] } }],
  });
  const metric = async (pattern: RegExp): Promise<number> =>
    Number(pattern.exec(await serving.text("/metrics"))?.[1] ?? 0);

  for (const [title, milliseconds, end, code] of calls) {
    it(`leave the queue ${title}`, async () => {
      const client = new Client(`127.0.0.1:${serving.grpcPort}`, credentials.createInsecure());
      const runs = (): Promise<number> => metric(/ml_batch_rows_count\S* (\d+)/);
      const before = await runs();
      const instances = Array.from({ length: 60 }, () => ({ x: 1 })); // a run of about a second
      const long = Promise.all([serving.post("/predict", { instances }), serving.post("/predict", { instances })]);
      await waitFor(async () => (await metric(/ml_queue_length\S* (\d+)/)) === 1);
      const deadline = Date.now() + milliseconds;
      const codes: Promise<Status | undefined>[] = [];
      const waiting = Array.from({ length: 10 }, () => {
        const { promise, resolve } = Promise.withResolvers<Status | undefined>();
        codes.push(promise);
        return client.makeUnaryRequest<Buffer, Buffer>(
          `${PACKAGE}/ModelInfer`,
          asIs,
          asIs,
          message,
          { deadline },
          (error) => resolve(error?.code),
        );
      });
      await waitFor(async () => (await metric(/ml_queue_length\S* (\d+)/)) === 11);
      waiting.forEach(end);
      expect(new Set(await Promise.all(codes))).to.deep.equal(new Set([code]));
      await long;
      await waitFor(async () => (await metric(/ml_requests_in_flight\S* (\d+)/)) === 0);
      expect((await runs()) - before).to.equal(2);
      client.close();
    });
  }
});
