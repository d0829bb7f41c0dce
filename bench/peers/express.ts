/** What people write first: Express, a session, one run for each request. */
import type { AddressInfo } from "node:net";
import express from "express";
import { InferenceSession, Tensor } from "onnxruntime-node";

const FEATURES = ["age", "income", "credit_score"] as const;
const options = { intraOpNumThreads: 1 };
const preprocessor = await InferenceSession.create("examples/loan/1.0.0/preprocessor.onnx", options);
const model = await InferenceSession.create("examples/loan/1.0.0/model.onnx", options);

const app = express();
app.use(express.json());
app.get("/health", (_request, response) => response.json({ status: "ok" }));
app.post("/predict", async (request, response) => {
  const row = request.body as Record<(typeof FEATURES)[number], number>;
  const columns = FEATURES.map((name) => [name, new Tensor("float32", [row[name]], [1, 1])]);
  const scaled = await preprocessor.run(Object.fromEntries(columns) as Record<string, Tensor>);
  const { probabilities } = await model.run({ features: scaled["features"] as Tensor });
  const [rejected, approved] = (probabilities as Tensor).data as Float32Array;
  response.json({
    prediction: (approved ?? 0) > (rejected ?? 0) ? "approved" : "rejected",
    probability: approved,
    probabilities: { rejected, approved },
  });
});

const server = app.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
});
