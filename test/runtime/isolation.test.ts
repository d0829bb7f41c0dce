import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { expect } from "chai";
import * as fc from "fast-check";

import { MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE } from "../../runtime/grpc/inference-messages.ts";
import { Serving } from "./support/serving.ts";
import { graph } from "./support/scratch.ts";

/** This index makes the graph fail while it runs; others give (index + 1) * 10. */
const FAILS = 3;
const valueOf = (index: number): number => (index + 1) * 10;

const asIs = (bytes: Buffer): Buffer => bytes;

/** The values, or how the request was refused. */
type Outcome = readonly number[] | number;

interface Case {
  readonly protocol: "predict" | "v1" | "infer" | "grpc";
  /** One for each row; `"x"` is no number. */
  readonly indices: readonly (number | "x")[];
}

const cases = fc.record<Case>({
  protocol: fc.constantFrom("predict", "v1", "infer", "grpc"),
  indices: fc.oneof(
    { arbitrary: fc.array(fc.nat(FAILS - 1), { minLength: 1, maxLength: 4 }), weight: 6 },
    { arbitrary: fc.array(fc.nat(FAILS), { minLength: 1, maxLength: 4 }), weight: 3 },
    { arbitrary: fc.constant(["x"] as const), weight: 1 },
  ),
});

function expected({ protocol, indices }: Case): Outcome {
  const [invalid, failed] =
    protocol === "grpc" ? [Status.INVALID_ARGUMENT, Status.INTERNAL] : [protocol === "predict" ? 422 : 400, 500];
  if (indices.includes("x")) return invalid;
  if (indices.includes(FAILS)) return failed;
  return (indices as number[]).map(valueOf);
}

for (const [where, environment] of [
  ["in the process", {}],
  ["in a thread", { INLINE_RUN_MS: "0" }],
] as const) {
  describe(`Requests that share runs ${where}`, function () {
    this.timeout(60_000);
    const serving = new Serving({ "model.onnx": graph("lookup") }, { GRPC_PORT: "0", ...environment });
    let client: Client;
    before(() => {
      client = new Client(`127.0.0.1:${serving.grpcPort}`, credentials.createInsecure());
    });
    after(() => client.close());

    it("are answered each as if it were alone, whatever the others are", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(cases, { minLength: 2, maxLength: 30 }), async (together) => {
          expect(await Promise.all(together.map(ask))).to.deep.equal(together.map(expected));
        }),
        { numRuns: 40 },
      );
      expect(await serving.text("/metrics")).to.match(/^ml_requests_in_flight\S* 0$/m);
    });

    async function ask({ protocol, indices }: Case): Promise<Outcome> {
      if (protocol === "grpc") return indices.includes("x") ? callGrpc([], "FP32") : callGrpc(indices as number[]);
      const [path, body] = {
        predict: ["/predict", { instances: indices.map((index) => ({ index })) }],
        v1: ["/v1/models/model:predict", { instances: indices.map((index) => ({ index })) }],
        infer: [
          "/v2/models/model/infer",
          { inputs: [{ name: "index", datatype: "INT64", shape: [indices.length, 1], data: indices }] },
        ],
      }[protocol] as [string, object];
      const { status, json } = await serving.post(path, body);
      if (status !== 200) return status;
      if (protocol === "infer") return (json["outputs"] as { data: number[] }[])[0]?.data ?? [];
      if (protocol === "v1") return json["predictions"] as number[];
      return (json["predictions"] as { prediction: number }[]).map(({ prediction }) => prediction);
    }

    function callGrpc(indices: readonly number[], datatype = "INT64"): Promise<Outcome> {
      const contents = { int64_contents: indices.map(BigInt) };
      const inputs = [{ name: "index", datatype, shape: [BigInt(indices.length), 1n], contents }];
      const message = MODEL_INFER_REQUEST.encode({ model_name: "model", inputs });
      const path = "/inference.GRPCInferenceService/ModelInfer";
      return new Promise((resolve) => {
        client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, message, (error, answer) => {
          const { outputs } = MODEL_INFER_RESPONSE.decode(answer ?? Buffer.alloc(0));
          resolve(error ? error.code : [...(outputs[0]?.contents?.fp32_contents ?? [])]);
        });
      });
    }
  });
}
