import { parse } from "yaml";
import * as z from "zod";

import { LoadError } from "../load-error.ts";
import { requireSafePath } from "../source/safe-path.ts";
import { conversionOfFlavors } from "./foreign-formats.ts";
import type { FeatureType, Metadata } from "./metadata-schema.ts";
import { readSmallFile } from "./small-file.ts";

const MAX_BYTES = 4 * 1024 ** 2;

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

/** The folder's MLmodel; undefined when there is none. Throws a LoadError for a flavour that is not ONNX. */
export async function readMlflowModel(folder: string, source: string): Promise<MlflowModel | undefined> {
  const text = await readSmallFile({ folder, file: "MLmodel", maxBytes: MAX_BYTES }, source);
  if (text === undefined) return undefined;
  const { flavors, signature } = parseMlmodel(text, source);
  const graph = flavors["onnx"]?.data;
  if (graph === undefined || graph === null) {
    throw new LoadError("UnsupportedFormat", `loading ${source}: ${conversionOfFlavors(Object.keys(flavors), source)}`);
  }
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
