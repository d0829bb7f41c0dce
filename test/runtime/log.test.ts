import { Client, Metadata, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect } from "chai";

import { MODEL_INFER_REQUEST } from "../../runtime/grpc/inference-messages.ts";
import { unaryCall } from "./support/grpc-call.ts";
import { RuntimeProcess } from "./support/runtime-process.ts";
import { waitFor } from "./support/wait-for.ts";

const INDEX = 777_777; // none that the graph has: it fails

describe("The log", () => {
  it("is JSON lines that name each request by its id, and hold nothing of what it asked", async () => {
    const MODEL_URI = "test/runtime/fixtures/lookup.onnx";
    await using runtime = new RuntimeProcess({ MODEL_URI, LOG_LEVEL: "debug", GRPC_PORT: "0" });
    await runtime.logged("ready");
    const ask = async (path: string, id: string, body: unknown): Promise<number> => {
      const headers = { "content-type": "application/json", "x-request-id": id };
      const sent = { method: "POST", headers, body: JSON.stringify(body) };
      return (await fetch(await runtime.url(path), sent)).status;
    };
    const inputs = [{ name: "index", datatype: "INT64", shape: [1, 1], data: [INDEX] }];
    expect(await ask("/predict", "right", { index: 1 })).to.equal(200);
    expect(await ask("/predict", "wrong", { index: "secret-word" })).to.equal(422);
    expect(await ask("/predict", "failed", { index: INDEX })).to.equal(500);
    expect(await ask("/v2/models/model/infer", "failed-too", { inputs })).to.equal(500);
    await waitFor(() => Promise.resolve(runtime.log.includes('"request_id":"failed-too","method"')));

    const lines = runtime.log.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) expect(line, "a line of pino's").to.include.keys("level", "time", "msg");
    const requests = lines.filter(({ msg }) => msg === "request");
    expect(requests.map(({ request_id, status }) => [request_id, status])).to.have.deep.members([
      ["right", 200],
      ["wrong", 422],
      ["failed", 500],
      ["failed-too", 500],
    ]);
    const failures = lines.filter(({ msg }) => msg === "a prediction failed");
    expect(failures.map(({ request_id }) => request_id)).to.have.members(["failed", "failed-too"]);
    for (const { err } of failures) expect(err).to.have.property("message");
    expect(runtime.log).to.not.include("secret-word");
  });

  it("names a call of gRPC by the id that its error carries", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/lookup.onnx", GRPC_PORT: "0" });
    await runtime.logged("ready");
    const { port } = await runtime.logged("listening for gRPC");
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const message = MODEL_INFER_REQUEST.encode({
      model_name: "model",
      inputs: [{ name: "index", datatype: "INT64", shape: [1n, 1n], contents: { int64_contents: [BigInt(INDEX)] } }],
    });
    const idOfFailure = async (sent: Record<string, string>): Promise<unknown> => {
      const metadata = Metadata.fromHttp2Headers(sent);
      const call = unaryCall(client, "/inference.GRPCInferenceService/ModelInfer", message, metadata);
      const error = await call.then(
        () => expect.fail("the graph has no such row"),
        (thrown: ServiceError) => thrown,
      );
      return error.metadata.get("x-request-id")[0];
    };
    const ids = [await idOfFailure({ "x-request-id": "given" }), await idOfFailure({})];
    client.close();
    expect(ids[0]).to.equal("given");
    expect(ids[1]).to.match(/^[0-9a-f-]{36}$/);
    await runtime.logged("a prediction failed", 2);
    expect(runtime.lines("a prediction failed").map(({ request_id }) => request_id)).to.deep.equal(ids);
  });

  it("forges no line for a request id that would", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/lookup.onnx", LOG_LEVEL: "debug" });
    await runtime.logged("ready");
    const url = await runtime.url('/predict?%0a{"msg":"forged"}');
    await fetch(url, { method: "POST", headers: { "x-request-id": `a","msg":"forged` }, body: "{}" });
    await runtime.logged("request");
    for (const line of runtime.log.split("\n")) expect(JSON.parse(line)).to.have.property("msg").not.equal("forged");
  });
});
