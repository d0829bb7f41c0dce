import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { parse } from "yaml";

import { LoadError } from "../load-error.ts";
import { conversionOf } from "./conversions.ts";

const MODEL = "model.onnx";
const PREPROCESSOR = "preprocessor.onnx";

export interface ModelFiles {
  readonly model: string;
  readonly preprocessor?: string;
}

/** A source that is one file. Throws a LoadError when it is no ONNX graph. */
export function singleFile(file: string, source: string): ModelFiles {
  if (file.endsWith(".onnx")) return { model: file };
  throw new LoadError("UnsupportedFormat", `loading ${source}: ${conversionOf(file) ?? `${file} is no .onnx file`}`);
}

/** The graphs in a folder. Throws a LoadError that says how to convert what was found instead of an ONNX model. */
export async function findModelFiles(folder: string, source: string): Promise<ModelFiles> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  const graphs = names.filter((name) => name.endsWith(".onnx") && name !== PREPROCESSOR);
  const model = graphs.includes(MODEL) ? MODEL : graphs.length === 1 ? graphs[0] : undefined;
  if (model === undefined) throw await noModel(folder, names, graphs, source);
  return { model, ...(names.includes(PREPROCESSOR) && { preprocessor: PREPROCESSOR }) };
}

async function noModel(
  folder: string,
  names: readonly string[],
  graphs: readonly string[],
  source: string,
): Promise<LoadError> {
  if (graphs.length > 1) {
    return new LoadError(
      "UnsupportedFormat",
      `loading ${source}: found several ONNX files (${shown(graphs)}) and no ${MODEL}: name the one to serve ${MODEL}`,
    );
  }
  const conversion = names.map(conversionOf).find((text) => text !== undefined);
  if (conversion !== undefined) return new LoadError("UnsupportedFormat", `loading ${source}: ${conversion}`);
  if (names.includes("MLmodel")) {
    const flavors = await mlflowFlavors(join(folder, "MLmodel"));
    return new LoadError(
      "UnsupportedFormat",
      `loading ${source}: this MLflow model has no ONNX flavor (it has: ${flavors}); log it with mlflow.onnx.log_model`,
    );
  }
  return new LoadError(
    "ArtifactNotFound",
    `loading ${source}: no ${MODEL} among its ${names.length} files (${shown(names)}); check the path, or upload ${MODEL}`,
  );
}

async function mlflowFlavors(file: string): Promise<string> {
  const document: unknown = parse(await readFile(file, "utf8"));
  const flavors =
    typeof document === "object" && document !== null && "flavors" in document ? document.flavors : undefined;
  return typeof flavors === "object" && flavors !== null ? Object.keys(flavors).join(", ") : "none";
}

const shown = (names: readonly string[]): string => names.slice(0, 10).join(", ") + (names.length > 10 ? ", …" : "");
