import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { Fetching } from "../../runtime/support/fetching.ts";
import { RuntimeProcess } from "../../runtime/support/runtime-process.ts";
import { Scratch } from "../../runtime/support/scratch.ts";
import { MlflowServer, quiet } from "./mlflow-server.ts";

const run = promisify(execFile);

// Needs the Python of an environment with requirements.txt, in MLFLOW_PYTHON.
describe("A model in MLflow", function () {
  this.timeout(120_000);
  const python = process.env["MLFLOW_PYTHON"] ?? "";
  const scratch = new Scratch();
  const fetching = new Fetching(scratch, () => ({ MLFLOW_TRACKING_URI: url }));
  let url = "";
  let server: MlflowServer | undefined;
  let logged: { run: string; loggedModel: string };

  before(async () => {
    server = await MlflowServer.start(python, scratch);
    url = server.url;
    const { stdout } = await run(python, [join(import.meta.dirname, "log_models.py"), url], {
      env: { ...quiet, HOME: scratch.path(".") },
    });
    logged = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as typeof logged;
  });

  after(() => server?.close());

  it("is the same by version, alias, run and id", async () => {
    const { sha256, version, folder } = await fetching.fetched("models:/Loan/1");
    expect(version).to.equal("1");
    expect((await readdir(folder)).sort()).to.include.members(["MLmodel", "model.onnx"]);
    expect(await fetching.fetched("models:/Loan@champion")).to.include({
      sha256,
      version,
      uri: "models:/Loan@champion",
    });
    expect(await fetching.fetched(`runs:/${logged.run}/model`)).to.include({ sha256 });
    expect(await fetching.fetched(`models:/${logged.loggedModel}`)).to.include({ sha256 });
  });

  it("needs no server once it is cached under its digest", async () => {
    const { sha256 } = await fetching.fetched("models:/Loan/1");
    const offline = { MODEL_SHA256: sha256, MLFLOW_TRACKING_URI: "http://127.0.0.1:1" };
    expect(await fetching.fetched("models:/Loan/1", offline)).to.include({ sha256, version: "1" });
  });

  it("answers by the columns of its signature, as the registry's version", async () => {
    await using runtime = new RuntimeProcess({
      MODEL_URI: "models:/Loan@champion",
      MLFLOW_TRACKING_URI: url,
      MODEL_CACHE_DIR: scratch.path("served"),
    });
    await runtime.logged("ready");
    const predict = async (body: object): Promise<{ status: number; json: Record<string, unknown> }> => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(await runtime.url("/predict"), {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
    };
    expect((await predict({ income: 1.5, age: 4 })).json).to.include({ prediction: 43, model_version: "1" });
    expect((await predict({ income: 1.5, age: 4.5 })).status).to.equal(422);
    expect((await predict({ income: 1.5 })).status).to.equal(422);
  });

  it("brings its external data along, which count in the digest", async () => {
    const { folder, bytes } = await fetching.fetched("models:/Wide/1");
    expect(bytes).to.be.greaterThan(8000);
    expect((await readdir(folder)).length).to.be.greaterThan(5);
    await using runtime = new RuntimeProcess({
      MODEL_URI: "models:/Wide/1",
      MLFLOW_TRACKING_URI: url,
      MODEL_CACHE_DIR: scratch.path("served"),
    });
    await runtime.logged("ready");
  });

  it("is refused with the flavour and what to do when it is no ONNX", async () => {
    const TERMINATION_MESSAGE_PATH = scratch.path("termination");
    await using runtime = new RuntimeProcess({
      MODEL_URI: "models:/Python/1",
      MLFLOW_TRACKING_URI: url,
      MODEL_CACHE_DIR: scratch.path("served"),
      TERMINATION_MESSAGE_PATH,
    });
    expect(await runtime.exited).to.equal(1);
    expect(await scratch.text("termination")).to.match(
      /UnsupportedFormat.*python_function flavour.*mlflow\.onnx\.log_model/,
    );
  });

  it("is not found under another name, version, alias, run or path", async () => {
    const none = "0".repeat(32);
    for (const uri of [
      "models:/None/1",
      "models:/Loan/9",
      "models:/Loan@none",
      `runs:/${none}/model`,
      `runs:/${logged.run}/none`,
    ])
      expect(await fetching.refused(uri), uri).to.include({ reason: "ArtifactNotFound" });
    const config = { MLFLOW_TRACKING_URI: "" };
    expect(await fetching.refused("models:/Loan/1", config)).to.include({ reason: "InvalidConfiguration" });
  });
});
