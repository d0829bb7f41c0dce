import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { readManifests, type Manifest } from "./manifests.ts";

const MAX_NAME = 38;
/** Of the loan example's golden rows: an ordinary applicant, after the extremes that come first. */
const ORDINARY_ROW = 8;

/** What `npm start` serves, and how one asks it. */
export interface ModelToServe {
  name: string;
  manifests: readonly Manifest[];
  /** Field values that the model accepts; undefined when its folder tells of none. */
  row: object | undefined;
  /** The header that keeps a user with one version. */
  stickyHeader: string | undefined;
}

/** Thrown for a folder that cannot be served; the message says what to give instead. */
export class NoModelError extends Error {
  override readonly name = "NoModelError";
}

export function loanExample(projectFolder: string): ModelToServe {
  const folder = join(projectFolder, "examples", "loan");
  const manifests = readManifests(folder);
  const row = exampleRow(join(folder, "1.0.0"));
  return { name: "loan-predictor", manifests, row, stickyHeader: "x-user-id" };
}

/** A folder or an .onnx file of one's own, as one version. @throws NoModelError */
export function ownModel(path: string): ModelToServe {
  if (!existsSync(path)) throw new NoModelError(`There is no ${path}: give a folder that holds a model.onnx.`);
  const isFolder = statSync(path).isDirectory();
  if (!isFolder && !path.endsWith(".onnx")) {
    throw new NoModelError(`${path} is neither a folder nor an .onnx file: give a folder that holds a model.onnx.`);
  }
  const name = resourceName(basename(path, ".onnx"));
  const uri = pathToFileURL(path).href + (isFolder && !path.endsWith("/") ? "/" : "");
  const manifest: Manifest = {
    apiVersion: "serving.slipway.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: { name, namespace: "default" },
    spec: { source: { uri } },
  };
  return { name, manifests: [manifest], row: isFolder ? exampleRow(path) : undefined, stickyHeader: undefined };
}

/** A folder's name as a ModelDeployment's: a DNS label that starts with a letter, at most 38 characters. */
export function resourceName(name: string): string {
  const label = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const lettered = /^[a-z]/.test(label) ? label : `model-${label}`;
  return lettered.slice(0, MAX_NAME).replace(/-{2,}/g, "-").replace(/-$/, "") || "model";
}

/** A row that the folder itself names: of golden.json, or made from the features of metadata.json. */
function exampleRow(folder: string): object | undefined {
  const golden = readJson(join(folder, "golden.json")) as { rows?: { input?: object }[] } | undefined;
  const rows = golden?.rows ?? [];
  const input = (rows[ORDINARY_ROW] ?? rows[0])?.input;
  if (input !== undefined) return input;
  const metadata = readJson(join(folder, "metadata.json")) as { features?: Feature[] } | undefined;
  return metadata?.features === undefined ? undefined : rowOf(metadata.features);
}

type Feature = string | { name: string; type?: string };

/** Any row of the right types: it shows how to ask, not what makes sense to. */
export function rowOf(features: readonly Feature[]): object {
  const value = (type: string | undefined): unknown => (type === "string" ? "a" : type === "boolean" ? true : 1);
  const entries = features.map((feature) =>
    typeof feature === "string" ? [feature, 1] : [feature.name, value(feature.type)],
  );
  return Object.fromEntries(entries) as object;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // absent, or wrong: the runtime is the one that tells
  }
}
