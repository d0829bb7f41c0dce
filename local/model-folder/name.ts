import { basename } from "node:path";

const MAX_NAME = 38;

/** What a model in this folder or .onnx file is called. */
export function nameOfFolder(path: string): string {
  return resourceName(basename(path, ".onnx"));
}

/** A folder's name as a ModelDeployment's: a DNS label that starts with a letter, at most 38 characters. */
export function resourceName(name: string): string {
  const label = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const lettered = /^[a-z]/.test(label) ? label : `model-${label}`;
  return lettered.slice(0, MAX_NAME).replace(/-{2,}/g, "-").replace(/-$/, "") || "model";
}
