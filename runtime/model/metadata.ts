import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as z from "zod";

import { LoadError } from "../load-error.ts";

const FEATURE_TYPES = ["number", "integer", "string", "boolean"] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];

const featureName = z.string().min(1).max(256);

const FEATURE = z.union(
  [
    featureName,
    z.looseObject({
      name: featureName,
      type: z.enum(FEATURE_TYPES).optional(),
      nullable: z.boolean().optional(),
      missing: z.union([z.string(), z.number(), z.boolean()]).optional(),
      input: z.string().min(1).optional(),
    }),
  ],
  {
    error:
      'expected a name or {"name", "type", "nullable", "missing", "input"} with type number, integer, string or boolean',
  },
);

/** How a classifier's scores become probabilities and a label; or which output a regressor's answer is. */
const OUTPUT = z.looseObject({
  tensor: z.string().min(1).optional(),
  activation: z.enum(["softmax", "sigmoid", "none"]).optional(),
  /** Of the second class's probability, from which on it is predicted. */
  threshold: z.number().min(0).max(1).optional(),
});

/** `metadata.json`. Everything is optional, null is absent, and keys that it does not know are kept for /model/info. */
const METADATA = z.looseObject({
  model_type: z.string().optional(),
  version: z
    .union([z.string().min(1).max(128), z.number()])
    .transform(String) // MLflow's versions are numbers
    .optional(),
  features: z
    .array(FEATURE)
    .min(1)
    .refine((features) => new Set(features.map(nameOf)).size === features.length, "two features have the same name")
    .optional(),
  target: z.string().optional(),
  task: z.string().optional(),
  classes: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(2)
    .refine((classes) => new Set(classes.map(String)).size === classes.length, "two classes have the same label")
    .optional(),
  output: OUTPUT.optional(),
  metrics: z.record(z.string(), z.unknown()).optional(),
  created_at: z.string().optional(),
});

export type Metadata = z.infer<typeof METADATA>;
export type ClassLabel = string | number | boolean;

const MAX_BYTES = 4 * 1024 ** 2;

/** The folder's metadata.json; an empty one when there is none. Throws a LoadError that names the wrong fields. */
export async function readMetadata(folder: string, source: string): Promise<Metadata> {
  const text = await readFile(join(folder, "metadata.json")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return {};
  if (text.length > MAX_BYTES) {
    throw new LoadError(
      "InvalidModel",
      `loading ${source}: metadata.json has ${text.length} bytes, at most ${MAX_BYTES} are read`,
    );
  }
  return parseMetadata(text.toString("utf8"), source);
}

function parseMetadata(text: string, source: string): Metadata {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LoadError("InvalidModel", `loading ${source}: metadata.json is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  const parsed = METADATA.safeParse(withoutNulls(json));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join(".") || "the document"}: ${message}`);
  throw new LoadError("InvalidModel", `loading ${source}: metadata.json: ${problems.join("; ")}`);
}

/** Python writes None as null. */
function withoutNulls(json: unknown): unknown {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}

function nameOf(feature: z.infer<typeof FEATURE>): string {
  return typeof feature === "string" ? feature : feature.name;
}
