import { chmod } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

import { expect } from "chai";
import { pino } from "pino";

import { startRuntime } from "../../runtime/app.ts";
import { readConfig } from "../../runtime/config.ts";
import type { TerminationMessage } from "../../runtime/contract.ts";
import { LoadError } from "../../runtime/load-error.ts";
import { terminationMessage } from "../../runtime/termination-message.ts";
import { RuntimeProcess } from "./support/runtime-process.ts";
import { Scratch, graph, loan } from "./support/scratch.ts";
import type { Content } from "./support/scratch.ts";

const LOAN = {
  "model.onnx": loan("1.0.0", "model.onnx"),
  "preprocessor.onnx": loan("1.0.0", "preprocessor.onnx"),
  "metadata.json": loan("1.0.0", "metadata.json"),
};

describe("A model that cannot be served is refused with its reason and what to do:", () => {
  const scratch = new Scratch();

  /** What a runtime in this process says of it; the same goes to the termination message of a process of its own. */
  async function failure(environment: Record<string, string>): Promise<TerminationMessage> {
    const config = readConfig({ PORT: "0", HOST: "127.0.0.1", MODEL_CACHE_DIR: scratch.path("cache"), ...environment });
    const runtime = await startRuntime(config, pino({ level: "silent" }));
    const error: unknown = await runtime.ready.catch((error: unknown) => error);
    await runtime.stop(AbortSignal.abort());
    expect(error).to.be.instanceOf(LoadError);
    return JSON.parse(terminationMessage(error as LoadError)) as TerminationMessage;
  }

  const folders: [title: string, files: Record<string, Content>, reason: string, message: RegExp][] = [
    ["an empty folder", {}, "ArtifactNotFound", /the folder is empty/],
    [
      "a folder without a model",
      { "readme.txt": "hello" },
      "ArtifactNotFound",
      /no model\.onnx among its 1 files \(readme\.txt\)/,
    ],
    [
      "a folder of model folders",
      { "1.0.0/model.onnx": graph("regressor"), "2.0.0/model.onnx": graph("regressor") },
      "ArtifactNotFound",
      /no model\.onnx among its 2 files .*, but there is one in 1\.0\.0\/, 2\.0\.0\/: name that folder/,
    ],
    [
      "a pickle",
      { "model.pkl": "\u0080" },
      "UnsupportedFormat",
      /model\.pkl is a pickled model; only ONNX is served\. .* import joblib, slipway; slipway\.save_model\(/,
    ],
    [
      "an MLflow model of another flavor",
      { MLmodel: "flavors:\n  sklearn: {}\n  python_function: {}\n" },
      "UnsupportedFormat",
      /MLflow's sklearn flavour; .* slipway\.log_model\(mlflow\.sklearn\.load_model\("\//,
    ],
    [
      "an MLmodel whose graph lies elsewhere",
      { ...LOAN, MLmodel: "flavors:\n  onnx: { data: ../model.onnx }\n" },
      "InvalidModel",
      /could leave the model's folder/,
    ],
    [
      "an MLmodel without its graph",
      { MLmodel: "flavors:\n  onnx: { data: model.onnx }\n" },
      "ArtifactNotFound",
      /MLmodel names/,
    ],
    [
      "an MLmodel whose signature is cut off",
      { ...LOAN, MLmodel: "flavors:\n  onnx: { data: model.onnx }\nsignature:\n  inputs: '['\n" },
      "InvalidModel",
      /MLmodel is not what MLflow writes/,
    ],
    ["an MLmodel that is none", { ...LOAN, MLmodel: "[" }, "InvalidModel", /MLmodel is not what MLflow writes/],
    [
      "weights outside of its folder",
      { "weights.bin": Buffer.alloc(8), "model.onnx": graph("climbing") },
      "InvalidModel",
      /External data path escapes model directory/,
    ],
    [
      "several graphs",
      { "a.onnx": graph("lookup"), "b.onnx": graph("lookup") },
      "UnsupportedFormat",
      /several ONNX files \(a\.onnx, b\.onnx\)/,
    ],
    ["maps for probabilities", { "model.onnx": graph("zipmap") }, "UnsupportedFormat", /"zipmap": False/],
    [
      "a graph that is none",
      { "model.onnx": "not protobuf" },
      "InvalidModel",
      /ONNX Runtime refuses model\.onnx: Protobuf parsing failed;/,
    ],
    ["an empty graph file", { "model.onnx": "" }, "InvalidModel", /ONNX Runtime refuses model\.onnx/],
    ["metadata that is no JSON", { ...LOAN, "metadata.json": "{" }, "InvalidModel", /metadata\.json is not JSON/],
    [
      "metadata of another shape",
      { ...LOAN, "metadata.json": { features: [1] } },
      "InvalidModel",
      /metadata\.json: features\[0\]: expected a name or /,
    ],
    [
      "features of another model",
      { ...LOAN, "metadata.json": { features: ["age", "income"] } },
      "SignatureMismatch",
      /2 features \(age, income\), but preprocessor\.onnx takes age: float32\[\?, 1\].*not in metadata\.json: credit_score/,
    ],
    [
      "features of other names",
      { ...LOAN, "metadata.json": { features: ["age", "income", "score"] } },
      "SignatureMismatch",
      /\(age, income, score\), but preprocessor\.onnx takes .* \(not in metadata\.json: credit_score; only in metadata\.json: score\);/,
    ],
    [
      "features of another number than the columns of a matrix",
      { "model.onnx": graph("scores"), "metadata.json": { features: ["a", "b"] } },
      "SignatureMismatch",
      /metadata\.json has 2 features \(a, b\), but model\.onnx takes x: float32\[\?, 3\], which is 3 columns; export both/,
    ],
    [
      "an MLflow signature of another model",
      {
        "model.onnx": graph("regressor"),
        MLmodel: `flavors: { onnx: { data: model.onnx } }\nsignature: { inputs: '[{"name": "a", "type": "double"}]' }\n`,
      },
      "SignatureMismatch",
      /MLmodel has 1 features \(a\), but model\.onnx takes/,
    ],
    [
      "a feature of a type that the graph cannot take",
      { ...LOAN, "metadata.json": { features: ["age", "income", { name: "credit_score", type: "string" }] } },
      "SignatureMismatch",
      /credit_score is string, but preprocessor\.onnx takes credit_score: float32/,
    ],
    [
      "a preprocessor of another model",
      { ...LOAN, "preprocessor.onnx": graph("two-columns") },
      "SignatureMismatch",
      /preprocessor\.onnx gives \(joined: float32\[\?, 2\]\), but model\.onnx takes \(features: float32\[\?, 3\]\)/,
    ],
    [
      "classes of another model",
      { ...LOAN, "metadata.json": { classes: ["a", "b", "c"] } },
      "SignatureMismatch",
      /3 classes \(a, b, c\), but the model gives 2 probabilities/,
    ],
    [
      "an output that the model does not give",
      { "model.onnx": graph("scores"), "metadata.json": { output: { tensor: "probabilities" } } },
      "SignatureMismatch",
      /the answer is in output probabilities, but the model gives hidden, logits/,
    ],
    [
      "the softmax of a single score",
      { "model.onnx": graph("one-score"), "metadata.json": { output: { activation: "softmax" } } },
      "SignatureMismatch",
      /a single score wants sigmoid/,
    ],
    [
      "a threshold between three classes",
      { "model.onnx": graph("scores"), "metadata.json": { output: { tensor: "logits", threshold: 0.5 } } },
      "SignatureMismatch",
      /decides between two classes, but the model gives 3/,
    ],
    [
      "a threshold for labels that only the model knows",
      { "model.onnx": graph("two-numbers"), "metadata.json": { output: { threshold: 0.5 } } },
      "SignatureMismatch",
      /name both classes in "classes"/,
    ],
    [
      "the activation of a regressor",
      { "model.onnx": graph("one-score"), "metadata.json": { task: "regression", output: { activation: "sigmoid" } } },
      "InvalidModel",
      /are for classification, but the task is regression/,
    ],
    [
      "a substitute for missing values of another type",
      {
        "model.onnx": graph("words-and-numbers"),
        "metadata.json": { features: ["size", { name: "color", missing: 0 }] },
      },
      "SignatureMismatch",
      /its "missing" \(0\) is no string that fits/,
    ],
    [
      "a golden.json that is none",
      { ...LOAN, "golden.json": { rows: [{ input: { age: 1 } }, { output: { prediction: "yes" } }] } },
      "InvalidModel",
      /golden\.json: rows\[0\]\.output: is missing; rows\[1\]\.input: is missing$/,
    ],
    [
      "golden rows of another model",
      { ...LOAN, "golden.json": loan("2.0.0", "golden.json") },
      "SignatureMismatch",
      /golden\.json: rows\[0\]\.output\.probabilities\.rejected: expected 0\.\d+ ± \S+, the model answers 0\.\d+; \d+ of 25 rows differ; export both from the same training run/,
    ],
    [
      "golden rows of other fields",
      { ...LOAN, "golden.json": { rows: [{ input: { age: "old", income: 1 }, output: { prediction: "approved" } }] } },
      "SignatureMismatch",
      /rows\[0\]\.input\.age: Input should be a valid integer; input\.credit_score: Field required; the model takes age: integer, income: number, credit_score: integer/,
    ],
    [
      "golden rows with which the model fails",
      {
        "model.onnx": graph("lookup"),
        "golden.json": { rows: [{ input: { index: 99 }, output: { prediction: 1 } }] },
      },
      "SignatureMismatch",
      /golden\.json: rows\[0\]: the model fails on this input: /,
    ],
    [
      "golden rows without the tensors of a model that has no named fields",
      { "model.onnx": graph("image"), "golden.json": { rows: [{ input: { pixels: 1 }, output: { prediction: 1 } }] } },
      "SignatureMismatch",
      /golden\.json: rows\[0\]\.input: input pixels has shape \[1\], but the model takes .*; a model without named fields takes the nested array of each input, by name/,
    ],
    [
      "a graph of four rows and one answer",
      { "model.onnx": graph("four-rows-one-sum") },
      "UnsupportedFormat",
      /takes 4 rows at once, but its outputs are not one for each row/,
    ],
  ];
  for (const [title, files, reason, message] of folders) {
    it(`${reason} for ${title}`, async () => {
      const told = await failure({ MODEL_URI: await scratch.folder(files) });
      expect(told).to.deep.include({ reason, permanent: true });
      expect(told.message)
        .to.match(message)
        .and.to.match(/^loading \//);
    });
  }

  it("ArtifactNotFound for a path that does not exist", async () => {
    expect(await failure({ MODEL_URI: "file:///no/such/folder" })).to.deep.equal({
      reason: "ArtifactNotFound",
      message:
        "loading file:///no/such/folder: there is no /no/such/folder (any more); check the path and the volume mount",
      permanent: true,
    });
  });

  it("ArtifactNotFound for a ConfigMap that is not mounted", async () => {
    const told = await failure({ MODEL_URI: "configmap://loan-v1", MODEL_CONFIGMAP_ROOT: scratch.path("configmaps") });
    expect(told).to.include({ reason: "ArtifactNotFound", permanent: true });
    expect(told.message).to.match(/ConfigMap loan-v1 is not mounted/);
  });

  it("ArtifactTooLarge for a folder beyond the limit", async () => {
    const told = await failure({ MODEL_URI: await scratch.folder(LOAN), MAX_ARTIFACT_BYTES: "1000" });
    expect(told).to.include({ reason: "ArtifactTooLarge", permanent: true });
    expect(told.message).to.include("MAX_ARTIFACT_BYTES");
  });

  it("UnsupportedSource for a scheme that it does not know, without the credentials in it", async () => {
    const told = await failure({ MODEL_URI: "ftp://key:secret@bucket/model?token=secret" });
    expect(told.reason).to.equal("UnsupportedSource");
    expect(told.message)
      .to.match(/^loading ftp:\/\/bucket\/model: /)
      .and.not.include("secret");
  });
});

describe("A runtime without a model to serve ends with code 1 and says why in the termination message:", () => {
  const scratch = new Scratch();
  let count = 0;

  /** The message that a runtime with this environment leaves when it ends with code 1. */
  async function failure(environment: Record<string, string>): Promise<TerminationMessage> {
    const file = `termination-${(count += 1)}`;
    await using runtime = new RuntimeProcess({
      TERMINATION_MESSAGE_PATH: scratch.path(file),
      MODEL_CACHE_DIR: scratch.path("cache"),
      ...environment,
    });
    expect(await runtime.exited, runtime.log).to.equal(1);
    return JSON.parse(await scratch.text(file)) as TerminationMessage;
  }

  it("DigestMismatch, with both digests", async () => {
    const told = await failure({ MODEL_URI: await scratch.folder(LOAN), MODEL_SHA256: "4c".repeat(32) });
    expect(told).to.include({ reason: "DigestMismatch", permanent: true });
    expect(told.message).to.match(
      /: sha256 is [0-9a-f]{64}, spec says (4c){32}; was the artifact overwritten\? Pin a new path, or update sha256$/,
    );
  });

  it("InvalidConfiguration for a wrong environment", async () => {
    const told = await failure({ PORT: "http" });
    expect(told).to.include({ reason: "InvalidConfiguration", permanent: true });
    expect(told.message).to.include("MODEL_URI is not set").and.to.include('PORT is "http"');
  });

  it("InvalidConfiguration for a port that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const told = await failure({ MODEL_URI: await scratch.folder(LOAN), PORT: String(port) }).finally(() =>
      server.close(),
    );
    expect(told.message).to.match(new RegExp(`listening on port ${port}: .*EADDRINUSE`));
  });

  it("in the log alone when the message cannot be written", async () => {
    const readOnly = await scratch.folder({});
    await chmod(readOnly, 0o500);
    await using runtime = new RuntimeProcess({
      MODEL_URI: "/no/such/folder",
      TERMINATION_MESSAGE_PATH: `${readOnly}/missing/log`,
    });
    expect(await runtime.exited).to.equal(1);
    expect(runtime.log).to.include("ArtifactNotFound").and.to.include("the termination message could not be written");
  });

  it("answers 503 loading, but is alive, as long as it has no model", async () => {
    const silent = createServer().listen(0, "127.0.0.1"); // accepts the download's connection and never answers
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await using runtime = new RuntimeProcess({
      MODEL_URI: `http://127.0.0.1:${port}/model.onnx`,
      MODEL_CACHE_DIR: scratch.path("cache"),
    });
    const health = await fetch(await runtime.url("/health"));
    expect(health.status).to.equal(503);
    expect(await health.json()).to.deep.equal({ status: "loading" });
    expect((await fetch(await runtime.url("/v2/health/live"))).status).to.equal(200);
    expect((await fetch(await runtime.url("/v2/health/ready"))).status).to.equal(503);
    const prediction = await fetch(await runtime.url("/predict"), {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect(prediction.status).to.equal(503);
    expect(prediction.headers.get("retry-after")).to.equal("1");

    runtime.signal("SIGTERM");
    expect(await runtime.exited).to.equal(0);
    silent.close();
  });
});

describe("node runtime/main.ts --help", () => {
  it("explains the environment and ends", async () => {
    await using runtime = new RuntimeProcess({}, ["--help"]);
    expect(await runtime.exited).to.equal(0);
    expect(runtime.log).to.include("MODEL_URI").and.to.include("DRAIN_SECONDS");
  });
});
