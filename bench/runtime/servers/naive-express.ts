/** What one writes first: Express, its JSON parser, and a run for each request. `node naive-express.ts MODEL`. */
import type { AddressInfo } from "node:net";

import "../../../runtime/model/no-telemetry.ts";
import express from "express";
import { InferenceSession, Tensor } from "onnxruntime-node";

interface Body {
  readonly inputs: readonly { readonly name: string; readonly shape: number[]; readonly data: number[] }[];
}

const session = await InferenceSession.create(process.argv[2] ?? "", { intraOpNumThreads: 1, interOpNumThreads: 1 });
const app = express();
app.use(express.json({ limit: "10mb" }));
// oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 passes rejections on
app.post("/v2/models/model/infer", async (request, response) => {
  const { inputs } = request.body as Body;
  const feeds = inputs.map(({ name, shape, data }) => [name, new Tensor("float32", data, shape)] as const);
  const outputs = await session.run(Object.fromEntries(feeds));
  response.json({
    model_name: "model",
    outputs: Object.entries(outputs).map(([name, { type, dims, data }]) => ({
      name,
      datatype: type === "int64" ? "INT64" : "FP32",
      shape: dims,
      data: Array.from(data as Float32Array, Number),
    })),
  });
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));
