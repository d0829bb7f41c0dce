import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph, loan } from "../support/scratch.ts";

describe("GET /openapi.json", () => {
  const serving = new Serving({
    "model.onnx": loan("1.0.0", "model.onnx"),
    "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
    "metadata.json": loan("1.0.0", "metadata.json"),
    "golden.json": loan("1.0.0", "golden.json"),
  });

  it("describes the model's own fields", async () => {
    const { json } = await serving.get("/openapi.json");
    expect(json).to.have.nested.property("info.version", "1.0.0");
    const body = "paths./predict.post.requestBody.content.application/json";
    const [row] = at(json, `${body}.schema.anyOf`) as { required: string[]; properties: Record<string, object> }[];
    expect(row?.required).to.deep.equal(["age", "income", "credit_score"]);
    expect(row?.properties["age"]).to.include({ type: "integer" });
    expect(row?.properties["income"]).to.include({ type: "number" });
  });

  it("has an example of golden.json, which is answered", async () => {
    const { json } = await serving.get("/openapi.json");
    const example = at(json, "paths./predict.post.requestBody.content.application/json.example");
    expect(example).to.have.all.keys("age", "income", "credit_score");
    expect((await serving.post("/predict", example)).status).to.equal(200);
  });

  it("leaves /predict out where there are no named fields", async () => {
    expect(Object.keys((await images.get("/openapi.json")).json["paths"] ?? {})).to.not.include("/predict");
  });
  const images = new Serving({ "model.onnx": graph("image") });
});

describe("GET /docs", () => {
  const serving = new Serving({ "model.onnx": graph("words-and-numbers") });

  it("is a page that loads and runs nothing from elsewhere", async () => {
    const response = await fetch(serving.url("/docs"));
    expect(response.headers.get("content-type")).to.match(/^text\/html/);
    expect(response.headers.get("content-security-policy")).to.include("default-src 'none'");
    expect(await response.text()).to.not.match(/https?:\/\//);
  });
});

const at = (json: unknown, path: string): unknown =>
  path.split(/\.(?!json)/).reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], json);
