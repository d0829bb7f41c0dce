import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../../runtime/config.ts";
import { LoadError } from "../../../runtime/load-error.ts";
import { openModel } from "../../../runtime/model/model.ts";
import { download } from "../../../runtime/source/download.ts";
import type { Origin } from "../../../runtime/source/origin.ts";
import { Fetching } from "../support/fetching.ts";
import { TestServer } from "../support/http-server.ts";
import { Scratch, graph } from "../support/scratch.ts";
import type { Content } from "../support/scratch.ts";

/** What a framework itself wrote: see fixtures/foreign/make.py. */
const foreign = (file: string): Buffer => readFileSync(join(import.meta.dirname, "../fixtures/foreign", file));

const SAFETENSORS = Buffer.from(
  '\x45\0\0\0\0\0\0\0{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
  "latin1",
);
const PMML = '<?xml version="1.0"?>\n<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/></PMML>\n';
const saved = (model: string, rest = '{"version": "1.0.0"}, sample=X'): string =>
  `slipway; slipway.save_model(${model}, "model/", ${rest})`;

describe("A model of another framework is UnsupportedFormat, with the line that converts it:", () => {
  const scratch = new Scratch();

  async function refusal(files: Readonly<Record<string, Content>>): Promise<string> {
    const folder = await scratch.folder(files);
    const error: unknown = await openModel({ folder, file: undefined, uri: "s3://models/loan/" }, 1).catch(
      (error: unknown) => error,
    );
    expect(error).to.be.instanceOf(LoadError).and.to.include({ reason: "UnsupportedFormat", permanent: true });
    return (error as LoadError).message;
  }

  for (const [file, content, what, line] of [
    ["model.pkl", "protocol-2.pkl", "a pickled model", `import joblib, ${saved('joblib.load("model.pkl")')}`],
    ["model.pkl", "protocol-5.pkl", "a pickled model", `import joblib, ${saved('joblib.load("model.pkl")')}`],
    ["model.joblib", "plain.joblib", "a pickled model", `import joblib, ${saved('joblib.load("model.joblib")')}`],
    ["model.joblib", "packed.joblib", "a pickled model", `import joblib, ${saved('joblib.load("model.joblib")')}`],
    ["model", "protocol-5.pkl", "a pickled model", `import joblib, ${saved('joblib.load("model")')}`],
    ["model.pkl", "xgboost.pkl", "a pickled model", "with slipway[xgboost]"],
    ["m.keras", "sequential.keras", "a Keras model", `import keras, ${saved('keras.models.load_model("m.keras")')}`],
    ["m.h5", "sequential.h5", "a Keras model", `import keras, ${saved('keras.models.load_model("m.h5")')}`],
    ["m.weights.h5", "sequential.h5", "a Keras model", `model.load_weights("m.weights.h5"); slipway.save_model(model,`],
    ["m.bin", "sequential.h5", "a Keras model", `import keras, ${saved('keras.models.load_model("m.bin")')}`],
    [
      "m.pt",
      "module.pt",
      "a pickled PyTorch module",
      `import torch, ${saved('torch.load("m.pt", weights_only=False).eval()', '{"version": "1.0.0", "task": "classification"}, sample=X')}`,
    ],
    ["m.pt", "state.pt", "a PyTorch checkpoint", 'model.load_state_dict(torch.load("m.pt")); slipway.save_model('],
    ["m.ckpt", "checkpoint.pt", "a PyTorch checkpoint", "model is a new object of its class"],
    ["m.pth", "legacy.pth", "a PyTorch checkpoint", 'model.load_state_dict(torch.load("m.pth"));'],
    ["pytorch_model.bin", "state.pt", "a PyTorch checkpoint", 'torch.load("pytorch_model.bin")'],
    ["m.pt", "script.pt", "a TorchScript archive", "model is the torch.nn.Module that it was made of"],
    [
      "m.json",
      "classifier.json",
      "an XGBoost model",
      'import xgboost, slipway; model = xgboost.XGBClassifier(); model.load_model("m.json"); slipway.save_model(model, "model/"',
    ],
    ["m.ubj", "classifier.ubj", "an XGBoost model", 'model = xgboost.XGBClassifier(); model.load_model("m.ubj");'],
    ["m.json", "regressor.json", "an XGBoost model", 'model = xgboost.XGBRegressor(); model.load_model("m.json");'],
    ["m.txt", "booster.txt", "a LightGBM model", saved('lightgbm.Booster(model_file="m.txt")')],
  ] as const) {
    it(`${what} (${content}) that is called ${file}`, async () => {
      const message = await refusal({ "readme.md": "# Loan", [file]: foreign(content) });
      expect(message).to.include(`loading s3://models/loan/: ${file} is ${what}`).and.to.include(line);
    });
  }

  for (const [file, content, what, line] of [
    ["m.safetensors", SAFETENSORS, "weights without a graph", 'safetensors.torch.load_model(model, "m.safetensors");'],
    ["m.pmml", PMML, "a PMML document", `import ${saved("estimator")}`],
    ["m.xml", PMML, "a PMML document", "estimator is the one that the PMML was written from"],
    [
      "m.cbm",
      "CBM1",
      "a CatBoost model",
      'catboost.CatBoost().load_model("m.cbm").save_model("model.onnx", format="onnx")',
    ],
    ["m.tflite", "\x1c\0\0\0TFL3", "a TensorFlow Lite model", "python -m tf2onnx.convert --tflite m.tflite"],
  ] as const) {
    it(`${what} that is called ${file}`, async () => {
      const message = await refusal({ [file]: content });
      expect(message).to.include(`${file} is ${what}`).and.to.include(line);
    });
  }

  it("a SavedModel, also below a number, as TensorFlow Serving has it", async () => {
    const files = { "saved_model.pb": foreign("exported/saved_model.pb"), "variables/variables.index": "x" };
    expect(await refusal(files)).to.include("python -m tf2onnx.convert --saved-model . --output model.onnx");
    const nested = Object.fromEntries(Object.entries(files).map(([path, content]) => [`1/${path}`, content]));
    expect(await refusal(nested)).to.include("1/saved_model.pb is a TensorFlow SavedModel");
  });

  it("a Hugging Face folder, by its own exporter", async () => {
    expect(await refusal({ "model.safetensors": SAFETENSORS, "config.json": { model_type: "bert" } })).to.include(
      "optimum-cli export onnx --model . onnx/",
    );
  });

  it("of several files the model, with its preprocessor and the metadata.json that are there", async () => {
    const message = await refusal({
      "a-preprocessor.pkl": foreign("scaler.pkl"),
      "metadata.json": { version: "3" },
      "model.pkl": foreign("protocol-5.pkl"),
      "scaler.pkl": foreign("scaler.pkl"),
    });
    expect(message).to.include(
      'import joblib, slipway; slipway.save_model(joblib.load("model.pkl"), "model/", ' +
        'slipway.load_metadata("metadata.json"), preprocessor=joblib.load("scaler.pkl"), sample=X)',
    );
  });

  it("a pickle that is called model.onnx, or preprocessor.onnx", async () => {
    expect(await refusal({ "model.onnx": foreign("protocol-5.pkl") })).to.include("model.onnx is a pickled model");
    const preprocessor = { "model.onnx": graph("two-numbers"), "preprocessor.onnx": foreign("scaler.pkl") };
    expect(await refusal(preprocessor)).to.include("preprocessor.onnx is a pickled model");
  });

  for (const [flavors, line] of [
    [
      "{ python_function: {}, sklearn: {} }",
      'slipway.log_model(mlflow.sklearn.load_model("s3://models/loan/"), metadata={"version": "1.0.0"}, sample=X, registered_model_name="NAME")',
    ],
    ["{ pytorch: {} }", 'slipway.log_model(mlflow.pytorch.load_model("s3://models/loan/")'],
    ["{ transformers: {} }", "optimum-cli export onnx"],
    ["{ python_function: {} }", "code that has to stay Python is served by an image of its own"],
  ] as const) {
    it(`an MLflow model of the flavours ${flavors}`, async () => {
      expect(await refusal({ MLmodel: `flavors: ${flavors}\n` })).to.include(line);
    });
  }
});

describe("A source that is a file of another framework", () => {
  const scratch = new Scratch();
  const fetching = new Fetching(scratch);
  const requested: (string | undefined)[] = [];
  const server = new TestServer(({ url }, response) => {
    requested.push(url);
    response.writeHead(404).end();
  });

  it("is refused by what is in it where it is here", async () => {
    const folder = await scratch.folder({ "model.bin": foreign("protocol-5.pkl"), "notes.txt": "none" });
    const { reason, message } = await fetching.refused(`file://${folder}/model.bin`);
    expect(reason).to.equal("UnsupportedFormat");
    expect(message).to.include(`loading file://${folder}/model.bin: model.bin is a pickled model`);
    expect((await fetching.refused(`${folder}/notes.txt`)).message).to.include("if a model at all");
  });

  it("is refused by its name before anything is asked of a server", async () => {
    for (const [file, line] of [
      ["model.pkl?signature=x", 'joblib.load("model.pkl")'],
      ["model.keras", 'keras.models.load_model("model.keras")'],
      ["model.pt", 'torch.load("model.pt")'],
      ["model.json", 'model.load_model("model.json")'],
      ["model.txt", 'lightgbm.Booster(model_file="model.txt")'],
      ["model", "expected a .onnx file, a .tar.gz or .zip archive of a model folder, or a folder"],
    ] as const) {
      const { reason, message } = await fetching.refused(`${server.url}/${file}`);
      expect(reason).to.equal("UnsupportedFormat");
      expect(message).to.include(line);
    }
    expect(requested).to.deep.equal([]);
  });
});

describe("A storage's listing without a graph", () => {
  const scratch = new Scratch();

  /** Why a storage of these files is refused, and which of them were fetched. */
  async function refusal(files: Readonly<Record<string, string>>): Promise<{ error: unknown; fetched: string[] }> {
    const fetched: string[] = [];
    const origin: Origin = {
      list: () => Promise.resolve(Object.keys(files).map((path) => ({ path }))),
      open({ path }) {
        fetched.push(path);
        const body = (async function* () {
          yield await Promise.resolve(Buffer.from(files[path] ?? ""));
        })();
        return Promise.resolve({ body, offset: 0, etag: undefined, size: undefined });
      },
    };
    const uri = "models:/Loan/3";
    const config = readConfig({ MODEL_URI: uri });
    const context = { config, logger: pino({ level: "silent" }), signal: new AbortController().signal, uri };
    const error: unknown = await download(origin, await scratch.folder({}), context).catch((error: unknown) => error);
    return { error, fetched };
  }

  it("is refused before anything is fetched", async () => {
    const { error, fetched } = await refusal({ "model.pkl": "x", "metadata.json": "{}" });
    expect(error).to.include({ reason: "UnsupportedFormat" }).and.have.property("message").that.includes("joblib.load");
    expect(fetched).to.deep.equal([]);
    expect((await refusal({ "notes.txt": "x", "data.csv": "x" })).error).to.include({ reason: "ArtifactNotFound" });
  });

  it("is refused by its MLmodel alone, with the call that logs it anew", async () => {
    const { error, fetched } = await refusal({ MLmodel: "flavors: { sklearn: {} }", "model.pkl": "x" });
    expect(error)
      .to.include({ reason: "UnsupportedFormat" })
      .and.have.property("message")
      .that.includes('mlflow.sklearn.load_model("models:/Loan/3")')
      .and.includes('registered_model_name="Loan"');
    expect(fetched).to.deep.equal(["MLmodel"]);
  });

  it("is taken where its MLmodel names a graph by another name", async () => {
    const { error, fetched } = await refusal({ MLmodel: "flavors: { onnx: { data: graph.pb } }", "graph.pb": "x" });
    expect(error).to.match(/^[0-9a-f]{64}$/);
    expect(fetched).to.deep.equal(["MLmodel", "graph.pb"]);
  });
});
