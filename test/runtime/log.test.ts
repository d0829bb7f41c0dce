import { expect } from "chai";

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

  it("forges no line for a request id that would", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/lookup.onnx", LOG_LEVEL: "debug" });
    await runtime.logged("ready");
    const url = await runtime.url('/predict?%0a{"msg":"forged"}');
    await fetch(url, { method: "POST", headers: { "x-request-id": `a","msg":"forged` }, body: "{}" });
    await runtime.logged("request");
    for (const line of runtime.log.split("\n")) expect(JSON.parse(line)).to.have.property("msg").not.equal("forged");
  });
});
