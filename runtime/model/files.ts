import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { LoadError } from "../load-error.ts";
import { listFiles } from "../source/file-tree.ts";
import { conversionOf, conversionOfContent, likelyConversionOf } from "./foreign-formats.ts";
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

export const isGraph = (file: string): boolean => file.endsWith(".onnx");

/** Why a source that is one file, by its name no ONNX graph, is not served. `path` is where it is, if it is here already. */
export function notAGraph(file: string, source: string, path?: string): LoadError {
  const instead =
    (path === undefined ? undefined : conversionOfContent(path)) ??
    likelyConversionOf(file) ??
    "expected a .onnx file, a .tar.gz or .zip archive of a model folder, or a folder (whose address ends with /)";
  return new LoadError("UnsupportedFormat", `loading ${source}: ${instead}`);
}

/** The graphs in a folder. Throws a LoadError that says how to convert what was found instead of an ONNX model. */
export async function findModelFiles(folder: string, source: string): Promise<ModelFiles> {
  const mlflow = existsSync(join(folder, "MLmodel")) ? await mlflowModel(folder, source) : undefined;
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  const graphs = names.filter((name) => isGraph(name) && name !== PREPROCESSOR);
  const model = mlflow ? mlflow.graph : graphs.includes(MODEL) ? MODEL : graphs.length === 1 ? graphs[0] : undefined;
  if (model === undefined) {
    const files = await listFiles(folder, source, Number.POSITIVE_INFINITY);
    throw noModel(
      files.map(({ path }) => path),
      source,
      folder,
    );
  }
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

/** A folder that is not a model's has files of all kinds; the first of them tell enough. */
const MAX_TOLD = 100;

/** Why these files are not served, none of them being the graph. `folder` is where they are, if they are here already. */
export function noModel(names: readonly string[], source: string, folder?: string): LoadError {
  const graphs = names.filter((name) => isGraph(name) && !name.includes("/") && name !== PREPROCESSOR);
  if (graphs.length > 1) {
    return new LoadError(
      "UnsupportedFormat",
      `loading ${source}: found several ONNX files (${shown(graphs)}) and no ${MODEL}: name the one to serve ${MODEL}`,
    );
  }
  for (const name of names.toSorted((a, b) => Number(isMain(b)) - Number(isMain(a))).slice(0, MAX_TOLD)) {
    const beside = names.filter((other) => other !== name);
    const content = folder === undefined ? undefined : conversionOfContent(join(folder, name), beside);
    const conversion = content ?? conversionOf(name, beside);
    if (conversion !== undefined) return new LoadError("UnsupportedFormat", `loading ${source}: ${conversion}`);
  }
  const inside = names.filter((name) => name.endsWith(`/${MODEL}`)).map((name) => `${dirname(name)}/`);
  const where = `loading ${source}: no ${MODEL} among its ${names.length} files (${shown(names)})`;
  return new LoadError(
    "ArtifactNotFound",
    inside.length > 0
      ? `${where}, but there is one in ${shown(inside)}: name that folder`
      : `${where}; check the path, or upload ${MODEL}`,
  );
}

/** Of several files of other frameworks the model is meant, not its preprocessor. */
const isMain = (name: string): boolean => !/preprocessor|scaler|transformer|encoder/i.test(name);

const shown = (names: readonly string[]): string => names.slice(0, 10).join(", ") + (names.length > 10 ? ", …" : "");
