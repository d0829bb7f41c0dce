import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { LoadError } from "../load-error.ts";
import { conversionOf } from "./conversions.ts";
import type { Metadata } from "./metadata-schema.ts";
import type { MlflowModel } from "./mlflow.ts";

const MODEL = "model.onnx";
const PREPROCESSOR = "preprocessor.onnx";

export interface ModelFiles {
  readonly model: string;
  readonly preprocessor?: string;
  /** From MLflow's signature, for models whose metadata.json has none. */
  readonly features?: Metadata["features"];
}

/** A source that is one file. Throws a LoadError when it is no ONNX graph. */
export function singleFile(file: string, source: string): ModelFiles {
  if (file.endsWith(".onnx")) return { model: file };
  throw new LoadError("UnsupportedFormat", `loading ${source}: ${conversionOf(file) ?? `${file} is no .onnx file`}`);
}

/** The graphs in a folder. Throws a LoadError that says how to convert what was found instead of an ONNX model. */
export async function findModelFiles(folder: string, source: string): Promise<ModelFiles> {
  const mlflow = existsSync(join(folder, "MLmodel")) ? await mlflowModel(folder, source) : undefined;
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  const graphs = names.filter((name) => name.endsWith(".onnx") && name !== PREPROCESSOR);
  const model = mlflow ? mlflow.graph : graphs.includes(MODEL) ? MODEL : graphs.length === 1 ? graphs[0] : undefined;
  if (model === undefined) throw noModel(names, graphs, source);
  if (mlflow && !existsSync(join(folder, mlflow.graph)))
    throw new LoadError("ArtifactNotFound", `loading ${source}: there is no ${mlflow.graph}, which MLmodel names`);
  return {
    model,
    ...(mlflow?.features && { features: mlflow.features }),
    ...(names.includes(PREPROCESSOR) && { preprocessor: PREPROCESSOR }),
  };
}

/** The parsers that it needs are loaded for those models alone. */
async function mlflowModel(folder: string, source: string): Promise<MlflowModel | undefined> {
  const { readMlflowModel } = await import("./mlflow.ts");
  return readMlflowModel(folder, source);
}

function noModel(names: readonly string[], graphs: readonly string[], source: string): LoadError {
  if (graphs.length > 1) {
    return new LoadError(
      "UnsupportedFormat",
      `loading ${source}: found several ONNX files (${shown(graphs)}) and no ${MODEL}: name the one to serve ${MODEL}`,
    );
  }
  const conversion = names.map(conversionOf).find((text) => text !== undefined);
  if (conversion !== undefined) return new LoadError("UnsupportedFormat", `loading ${source}: ${conversion}`);
  return new LoadError(
    "ArtifactNotFound",
    `loading ${source}: no ${MODEL} among its ${names.length} files (${shown(names)}); check the path, or upload ${MODEL}`,
  );
}

const shown = (names: readonly string[]): string => names.slice(0, 10).join(", ") + (names.length > 10 ? ", …" : "");
