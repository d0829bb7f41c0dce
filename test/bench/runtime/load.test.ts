import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { expect } from "chai";

import { measureGrpc } from "../../../bench/runtime/load/grpc.ts";
import { measureHttp } from "../../../bench/runtime/load/http.ts";
import { ratio } from "../../../bench/runtime/plan.ts";
import type { Plan } from "../../../bench/runtime/plan.ts";
import { MODEL_INFER_REQUEST } from "../../../runtime/grpc/inference-messages.ts";
import { graph } from "../../runtime/support/scratch.ts";
import { Serving } from "../../runtime/support/serving.ts";

const SECONDS = 0.2;

/** The error of a promise that must not be kept. */
const errorOf = async (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error: Error) => error,
  );

describe("the load of the benchmarks", () => {
  describe("over HTTP", () => {
    let served = 0;
    let status = 200;
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        served += 1;
        response.writeHead(status, { "content-length": 2 }).end("{}");
      });
    });
    before(() => once(server.listen(0, "127.0.0.1"), "listening"));
    after(() => server.close());
    const target = () => ({ port: (server.address() as AddressInfo).port, path: "/", body: "{}" });

    it("counts each answer once", async () => {
      const { answers, rate, p50, p99 } = await measureHttp(target(), 4, SECONDS);
      expect(answers).to.equal(served).and.to.be.at.least(4);
      expect(rate)
        .to.be.above(0)
        .and.to.be.at.most(answers / SECONDS);
      expect(p50).to.be.above(0).and.to.be.at.most(p99);
    });

    it("does not count errors as answers", async () => {
      status = 500;
      const error = await errorOf(measureHttp(target(), 1, SECONDS));
      expect(error.message).to.match(/^the server answered HTTP\/1.1 500/);
    });
  });

  describe("over gRPC", () => {
    const serving = new Serving({ "model.onnx": graph("lookup") }, { GRPC_PORT: "0" });
    const target = (model: string) => ({
      port: serving.grpcPort,
      method: "/inference.GRPCInferenceService/ModelInfer",
      message: MODEL_INFER_REQUEST.encode({
        model_name: model,
        inputs: [{ name: "index", datatype: "INT64", shape: [1n, 1n] }],
        raw_input_contents: [new Uint8Array(8)],
      }),
    });
    const predictions = async (): Promise<number> => {
      const metrics = await (await fetch(`http://127.0.0.1:${serving.port}/metrics`)).text();
      return Number(/^ml_batch_rows_sum\{.*\} (\d+)$/m.exec(metrics)?.[1]);
    };

    it("counts each answer once", async () => {
      const before = await predictions();
      const { answers } = await measureGrpc(target("model"), 4, SECONDS);
      expect(answers)
        .to.equal((await predictions()) - before)
        .and.to.be.at.least(4);
    });

    it("does not count errors as answers", async () => {
      const error = await errorOf(measureGrpc(target("another"), 1, SECONDS));
      expect(error.message).to.equal("the server answered a call with an error");
    });

    it("refuses requests that a server's window might not hold", async () => {
      const message = Buffer.alloc(1000);
      const error = await errorOf(measureGrpc({ ...target("model"), message }, 64, SECONDS));
      expect(error.message).to.match(/bytes are too many/);
    });
  });
});

describe("a ratio of the benchmarks", () => {
  it("is the median of turns, after turns that only warm up", async () => {
    const notes: string[] = [];
    const plan: Plan = { rounds: 3, seconds: 1, memorySeconds: [1, 2], note: (text) => notes.push(text) };
    const side = (name: string, values: number[]) => ({
      name,
      measure: async () => ({ value: values.shift() as number }),
    });
    const value = await ratio(plan, side("ours", [1000, 1000, 8, 6, 10]), side("theirs", [1, 1, 2, 2, 2]));
    expect(value).to.equal(4);
    expect(notes).to.deep.equal(["ours: 8.00", "theirs: 2.00"]);
  });
});
