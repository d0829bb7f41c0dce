import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";

import { expect } from "chai";

import { waitFor } from "../support/wait-for.ts";
import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

describe("The runtime's other endpoints", () => {
  const serving = new Serving(
    {
      "model.onnx": loan("2.0.0", "model.onnx"),
      "preprocessor.onnx": loan("2.0.0", "preprocessor.onnx"),
      "metadata.json": loan("2.0.0", "metadata.json"),
    },
    { MODEL_VARIANT: "v2", MODEL_REVISION: "v2-abcdef12", MODEL_NAME: "loan" },
  );

  it("GET /health says that it serves, and what", async () => {
    expect(await serving.get("/health")).to.deep.include({
      status: 200,
      json: { status: "ok", model_version: "2.0.0", model_variant: "v2" },
    });
  });

  it("GET /model/info tells all that is known of the model", async () => {
    const { json } = await serving.get("/model/info");
    expect(json).to.include({
      model_name: "loan",
      model_version: "2.0.0",
      model_variant: "v2",
      revision: "v2-abcdef12",
      answers: "classification",
      batchable: true,
    });
    expect(json["sha256"]).to.match(/^[0-9a-f]{64}$/);
    expect(json["features"]).to.deep.equal([
      { name: "age", type: "integer", nullable: false },
      { name: "income", type: "number", nullable: false },
      { name: "credit_score", type: "integer", nullable: false },
    ]);
    expect(json["metadata"]).to.include({ model_type: "RandomForestClassifier", target: "approved", version: "2.0.0" });
    expect(json["signature"]).to.have.all.keys("inputs", "outputs");
  });

  it("GET /metrics counts predictions by class, latencies and errors", async () => {
    const poor = { age: 18, income: 0, credit_score: 300 };
    await serving.post("/predict", { instances: [poor, poor] });
    await serving.post("/predict", {});
    const text = await serving.text("/metrics");
    expect(text).to.include('ml_predictions_total{model_version="2.0.0",prediction="rejected"} 2\n');
    expect(text).to.match(/^ml_prediction_latency_seconds_bucket\{model_version="2\.0\.0",le="\+Inf"\} 1$/m);
    expect(text).to.match(/^ml_prediction_latency_seconds_count\{model_version="2\.0\.0"\} 1$/m);
    expect(text).to.include('ml_prediction_errors_total{model_version="2.0.0",reason="invalid_request"} 1\n');
    expect(text).to.match(/^ml_batch_rows_sum\{model_version="2\.0\.0"\} 2$/m);
    expect(text).to.match(/^ml_model_info\{model_name="loan",.*revision="v2-abcdef12"/m);
    expect(text).to.match(/^process_resident_memory_bytes \d+/m);
    expect(await serving.text("/metrics")).to.include('prediction="rejected"} 2\n'); // a scrape counts nothing twice
  });

  it("answers unknown paths and wrong methods in JSON", async () => {
    expect(await serving.get("/nothing?x=1")).to.deep.include({ status: 404 });
    const { status, headers, json } = await serving.post("/health", {});
    expect([status, headers.get("allow")]).to.deep.equal([405, "GET, HEAD"]);
    expect(json).to.have.all.keys("error");
    expect((await serving.get("/v2/models/%ff")).status).to.equal(400);
  });

  it("answers in JSON even what is no HTTP", async () => {
    const socket = connect(serving.port, "127.0.0.1").setEncoding("utf8");
    socket.write("hello\r\n\r\n");
    let received = "";
    for await (const chunk of socket) received += String(chunk);
    expect(received)
      .to.match(/^HTTP\/1\.1 400 Bad Request\r\n/)
      .and.to.match(/\{"error":"400 Bad Request"\}$/);
  });
});

describe("A runtime with all the predictions in flight that it may have", () => {
  const serving = new Serving({ "model.onnx": graph("regressor") }, { MAX_QUEUE: "2" });

  it("refuses the rest with 503 and when to come again", async () => {
    const headers = { "content-type": "application/json" };
    const open = Array.from({ length: 2 }, () => request(serving.url("/predict"), { method: "POST", headers }));
    for (const each of open) each.write("{");
    await waitFor(async () => /ml_requests_in_flight\S* 2$/m.test(await serving.text("/metrics")));

    const refused = await serving.post("/predict", { f0: 1, f1: 2, f2: 3 });
    expect([refused.status, refused.headers.get("retry-after")]).to.deep.equal([503, "1"]);

    for (const each of open) {
      each.end('"f0": 1, "f1": 2, "f2": 3}');
      const [response] = (await once(each, "response")) as [IncomingMessage];
      expect(response.resume().statusCode).to.equal(200);
    }
    expect((await serving.post("/predict", { f0: 1, f1: 2, f2: 3 })).status).to.equal(200);
  });
});
