import { expect } from "chai";

import { RuntimeProcess } from "../support/runtime-process.ts";
import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

const APPROVED = { age: 34, income: 52_000.5, credit_score: 700 };
const REJECTED = { age: 18, income: 0, credit_score: 300 };
const LOAN = {
  "model.onnx": loan("1.0.0", "model.onnx"),
  "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
  "metadata.json": loan("1.0.0", "metadata.json"),
};

async function idOf(serving: Serving, body: unknown = APPROVED): Promise<string> {
  const { json, headers } = await serving.post("/predict", body);
  expect(headers.get("x-request-id")).to.equal(json["request_id"]);
  return json["request_id"] as string;
}

async function valueOf(serving: Serving, series: string): Promise<number | undefined> {
  const line = (await serving.text("/metrics")).split("\n").find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe("POST /feedback", () => {
  const serving = new Serving(LOAN, { FEEDBACK_KEY: "our key", FEEDBACK_WINDOW: "4" });
  const accuracy = (): Promise<number | undefined> => valueOf(serving, 'ml_model_accuracy{model_version="1.0.0"}');

  it("makes the accuracy known, which is absent before; the window slides", async () => {
    expect(await accuracy()).to.equal(undefined);
    const give = async (truth: string): Promise<void> => {
      const { status, json } = await serving.post("/feedback", { request_id: await idOf(serving), truth });
      expect([status, json]).to.deep.equal([200, { accepted: 1, refused: [] }]);
    };
    await give("rejected");
    expect(await accuracy()).to.equal(0);
    await give("approved");
    expect(await accuracy()).to.equal(0.5);
    for (let more = 0; more < 3; more += 1) await give("approved");
    expect(await accuracy()).to.equal(1);
    expect(await valueOf(serving, 'ml_feedback_total{model_version="1.0.0",result="correct"}')).to.equal(4);
    expect(await valueOf(serving, 'ml_feedback_total{model_version="1.0.0",result="incorrect"}')).to.equal(1);
  });

  it("takes a batch, and a list of truths for an answer of many rows", async () => {
    const many = await idOf(serving, { instances: [APPROVED, REJECTED] });
    const { json } = await serving.post("/feedback", {
      feedback: [
        { request_id: many, truth: ["approved", "rejected"] },
        { request_id: await idOf(serving), truth: "approved" },
        { request_id: "nobody's", truth: "approved" },
      ],
    });
    expect(json["accepted"]).to.equal(2);
    expect(json["refused"]).to.have.nested.property("[0].reason", "not_self_describing");
  });

  it("refuses and counts what is forged, foreign, double or does not fit", async () => {
    const id = await idOf(serving);
    const [uuid, , signature] = id.split(".");
    const forged = Buffer.from(JSON.stringify(["1.0.0", "", "c", "rejected"])).toString("base64url");
    const chosen = await serving.post("/predict", APPROVED, { "x-request-id": "order-66" });
    await serving.post("/feedback", { request_id: id, truth: "approved" });
    for (const [request_id, truth, reason] of [
      [id, "approved", "duplicate"],
      [`${uuid}.${forged}.${signature}`, "rejected", "forged"],
      [`${uuid}.${forged}`, "rejected", "forged"],
      [chosen.json["request_id"], "approved", "not_self_describing"],
      [await idOf(serving), ["approved", "rejected"], "mismatch"],
      [await idOf(serving), {}, "mismatch"],
    ] as const) {
      const before = (await valueOf(serving, `ml_feedback_refused_total{reason="${reason}"}`)) ?? 0;
      const { status, json } = await serving.post("/feedback", { request_id, truth });
      expect(json["refused"], reason).to.have.nested.property("[0].reason", reason);
      expect(status).to.equal(422);
      expect(await valueOf(serving, `ml_feedback_refused_total{reason="${reason}"}`)).to.equal(before + 1);
    }
    for (const [body, status] of [
      [[], 422],
      [{}, 422],
      [{ request_id: id }, 422],
      ["{", 400],
      [{ feedback: [] }, 422],
    ] as const) {
      expect((await serving.post("/feedback", body)).status).to.equal(status);
    }
    expect((await serving.get("/feedback")).status).to.equal(405);
  });
});

describe("POST /feedback to another pod", () => {
  const serving = new Serving(LOAN);
  const stale = new Serving(LOAN, { FEEDBACK_MAX_AGE_SECONDS: "1" });

  it("counts for the version that gave the answer", async () => {
    await using other = new RuntimeProcess({ MODEL_URI: "examples/loan/2.0.0" });
    await other.logged("ready");
    const headers = { "content-type": "application/json" };
    const answer = await fetch(await other.url("/predict"), {
      method: "POST",
      headers,
      body: JSON.stringify(APPROVED),
    });
    const { request_id, prediction } = (await answer.json()) as { request_id: string; prediction: string };
    expect((await serving.post("/feedback", { request_id, truth: prediction })).status).to.equal(200);
    expect(await valueOf(serving, 'ml_model_accuracy{model_version="2.0.0"}')).to.equal(1);
    expect(await valueOf(serving, 'ml_model_accuracy{model_version="1.0.0"}')).to.equal(undefined);
  });

  it("refuses what is older than it may be", async () => {
    const [uuid = "", payload] = (await idOf(stale)).split(".");
    const old = (Date.now() - 2000).toString(16).padStart(12, "0");
    const aged = `${old.slice(0, 8)}-${old.slice(8)}${uuid.slice(13)}.${payload}`;
    const { json } = await stale.post("/feedback", { request_id: aged, truth: "approved" });
    expect(json["refused"]).to.have.nested.property("[0].reason", "expired");
  });
});

describe("POST /feedback for numbers", () => {
  const serving = new Serving({ "model.onnx": graph("regressor") });

  it("gives the mean absolute and the root mean squared error", async () => {
    for (const error of [1, -3]) {
      const { json } = await serving.post("/predict", { f0: 1, f1: 1, f2: 1 });
      const truth = (json["prediction"] as number) + error;
      expect((await serving.post("/feedback", { request_id: json["request_id"], truth })).status).to.equal(200);
    }
    expect(await valueOf(serving, 'ml_model_mae{model_version="default"}')).to.be.closeTo(2, 1e-6);
    expect(await valueOf(serving, 'ml_model_rmse{model_version="default"}')).to.be.closeTo(Math.sqrt(5), 1e-6);
    expect(await serving.text("/metrics")).to.not.match(/^ml_model_accuracy\{/m);
  });
});
