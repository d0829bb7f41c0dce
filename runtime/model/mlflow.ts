import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { parse } from "yaml";
import * as z from "zod";

import { LoadError } from "../load-error.ts";
import { requireSafePath } from "../source/safe-path.ts";
import type { FeatureType, Metadata } from "./metadata-schema.ts";

/** What matters of an MLmodel file with an ONNX flavour. */
export interface MlflowModel {
  /** The graph's file. */
  readonly graph: string;
  /** From the signature's columns; undefined when there is none, or it is of tensors. */
  readonly features: Metadata["features"] | undefined;
}

/** MLflow writes a signature's columns as JSON within its YAML. */
const JSON_TEXT = z.string().transform((text): unknown => JSON.parse(text));
const MLMODEL = z.object({
  flavors: z.record(z.string(), z.looseObject({ data: z.string().nullish() })),
  signature: z.object({ inputs: JSON_TEXT.nullish() }).nullish(),
});
const COLUMNS = z.array(z.object({ name: z.string(), type: z.string(), required: z.boolean().default(true) })).min(1);

const TYPES: Readonly<Record<string, FeatureType>> = {
  double: "number",
  float: "number",
  long: "integer",
  integer: "integer",
  boolean: "boolean",
  string: "string",
};

/** How a model of another flavour becomes one of MLflow's ONNX flavour. */
const EXPORTS: Readonly<Record<string, string>> = {
  sklearn: 'skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})',
  keras: 'model.export("model.onnx", format="onnx")',
  tensorflow: 'model.export("model.onnx", format="onnx")',
  pytorch: 'torch.onnx.export(model, example, "model.onnx", dynamo=True)',
  transformers: "optimum-cli export onnx --model FOLDER onnx/",
  xgboost: "onnxmltools.convert_xgboost(model, initial_types=…)",
  lightgbm: "onnxmltools.convert_lightgbm(model, initial_types=…)",
  catboost: 'model.save_model("model.onnx", format="onnx")',
};

/** The folder's MLmodel; undefined when there is none. Throws a LoadError for a flavour that is not ONNX. */
export async function readMlflowModel(folder: string, source: string): Promise<MlflowModel | undefined> {
  const text = await readFile(join(folder, "MLmodel"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const { flavors, signature } = parseMlmodel(text, source);
  const graph = flavors["onnx"]?.data;
  if (graph === undefined || graph === null) throw noOnnx(Object.keys(flavors), source);
  return { graph: requireSafePath(graph, source), features: featuresOf(signature?.inputs) };
}

function parseMlmodel(text: string, source: string): z.infer<typeof MLMODEL> {
  try {
    return MLMODEL.parse(parse(text));
  } catch (cause) {
    throw new LoadError("InvalidModel", `loading ${source}: MLmodel is not what MLflow writes; log the model again`, {
      cause,
    });
  }
}

function featuresOf(inputs: unknown): Metadata["features"] | undefined {
  const columns = COLUMNS.safeParse(inputs);
  if (!columns.success) return undefined;
  return columns.data.map(({ name, type, required }) => {
    const known = TYPES[type];
    return { name, ...(known && { type: known }), ...(known === "number" && { nullable: !required }) };
  });
}

function noOnnx(flavors: readonly string[], source: string): LoadError {
  const flavor = flavors.find((name) => name !== "python_function") ?? "python_function";
  const line = EXPORTS[flavor];
  const how = line === undefined ? "export it to ONNX and log it" : `export it by ${line} and log it`;
  return new LoadError(
    "UnsupportedFormat",
    `loading ${source}: this is MLflow's ${flavor} flavour; only its onnx flavour is served: ${how} with mlflow.onnx.log_model`,
  );
}
