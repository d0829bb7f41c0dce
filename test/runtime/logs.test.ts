import { expect } from "chai";

import { RuntimeProcess } from "./support/runtime-process.ts";
import { Scratch, graph } from "./support/scratch.ts";

const FAILING = { "model.onnx": graph("lookup"), "metadata.json": { features: ["index"], version: "7" } };

describe("The log", () => {
  const scratch = new Scratch();

  it("names the request, the model's version and its variant when a prediction fails", async () => {
    await using runtime = new RuntimeProcess({
      MODEL_URI: await scratch.folder(FAILING),
      MODEL_VARIANT: "candidate",
      LOG_LEVEL: "debug",
    });
    await runtime.logged("ready");
    const answer = await fetch(await runtime.url("/predict"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"index": 99}',
    });
    expect(answer.status).to.equal(500);
    const { request_id } = (await answer.json()) as { request_id: string };
    const of = { request_id, model_version: "7", model_variant: "candidate" };
    expect(await runtime.logged("a prediction failed"))
      .to.deep.include(of)
      .and.to.have.nested.property("err.stack");
    expect(await runtime.logged("request")).to.deep.include({ ...of, path: "/predict", status: 500 });
  });
});
