import type { Golden } from "./golden-schema.ts";
import { withoutNulls } from "./json-document.ts";
import type { Metadata } from "./metadata-schema.ts";
import { ACTIVATIONS, FEATURE_TYPES, LONGEST_NAME, LONGEST_VERSION } from "./metadata-terms.ts";

/*
 * What the schemas make of documents that are plainly right. To load zod and to make the schemas of it takes longer than a
 * small model: they are for the others, whose problems they name.
 */

/** Undefined for metadata that the schema has to judge. */
export function plainMetadata(json: unknown): Metadata | undefined {
  if (!isRecord(json)) return undefined;
  const { model_type, version, features, target, task, classes, output, metrics, created_at } = json;
  const isPlain =
    [model_type, target, task, created_at].every((text) => isAbsent(text) || isString(text)) &&
    (isAbsent(version) || isFinite(version) || isName(version, LONGEST_VERSION)) &&
    (isAbsent(features) || isFeatures(features)) &&
    (isAbsent(classes) ||
      (Array.isArray(classes) && classes.length >= 2 && classes.every(isScalar) && isUnique(classes))) &&
    (isAbsent(output) || isOutput(output)) &&
    (isAbsent(metrics) || isRecord(metrics));
  if (!isPlain) return undefined;
  const read = {
    ...json,
    ...(!isAbsent(version) && { version: String(version) }),
    ...(!isAbsent(features) && { features: features.map((each) => (isString(each) ? each : withoutNulls(each))) }),
    ...(!isAbsent(output) && { output: withoutNulls(output) }),
  };
  return withoutNulls(read) as Metadata;
}

/** Undefined for golden rows that the schema has to judge. */
export function plainGolden(json: unknown): Golden | undefined {
  if (!isRecord(json)) return undefined;
  const { tolerance, rows } = json;
  const isPlain =
    (isAbsent(tolerance) ||
      (isRecord(tolerance) && isDifference(tolerance["absolute"]) && isDifference(tolerance["relative"]))) &&
    Array.isArray(rows) &&
    rows.every((row) => isRecord(row) && isRecord(row["input"]) && isGoldenOutput(row["output"]));
  return isPlain ? (json as Golden) : undefined;
}

function isFeatures(value: unknown): value is (string | { name: string })[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every(isFeature) && isUnique(value.map((feature) => (isString(feature) ? feature : feature.name)));
}

function isFeature(value: unknown): value is string | { name: string } {
  if (!isRecord(value)) return isName(value, LONGEST_NAME);
  const { name, type, nullable, missing, input } = value;
  return (
    isName(name, LONGEST_NAME) &&
    (isAbsent(type) || isAmong(FEATURE_TYPES, type)) &&
    (isAbsent(nullable) || typeof nullable === "boolean") &&
    (isAbsent(missing) || isScalar(missing)) &&
    (isAbsent(input) || isName(input, Number.POSITIVE_INFINITY))
  );
}

function isOutput(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false;
  const { tensor, activation, threshold } = value;
  return (
    (isAbsent(tensor) || isName(tensor, Number.POSITIVE_INFINITY)) &&
    (isAbsent(activation) || isAmong(ACTIVATIONS, activation)) &&
    (isAbsent(threshold) || (isFinite(threshold) && threshold >= 0 && threshold <= 1))
  );
}

function isGoldenOutput(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { prediction, probability, probabilities } = value;
  return (
    (prediction === null || isScalar(prediction) || Array.isArray(prediction) || isRecord(prediction)) &&
    (probability === undefined || isScore(probability)) &&
    (isAbsent(probabilities) || (isList(probabilities) && Object.values(probabilities).every(isScore)))
  );
}

type Scalar = string | number | boolean;

const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;
const isString = (value: unknown): value is string => typeof value === "string";
/** JSON can say 1e400. */
const isFinite = (value: unknown): value is number => Number.isFinite(value);
const isScalar = (value: unknown): value is Scalar => isString(value) || isFinite(value) || typeof value === "boolean";
const isScore = (value: unknown): boolean => value === null || isFinite(value);
const isDifference = (value: unknown): boolean => value === undefined || (isFinite(value) && value >= 0);
const isName = (value: unknown, longest: number): value is string =>
  isString(value) && value.length > 0 && value.length <= longest;
const isAmong = (terms: readonly unknown[], value: unknown): boolean => terms.includes(value);
const isUnique = (values: readonly Scalar[]): boolean => new Set(values.map(String)).size === values.length;
const isList = (value: unknown): value is object => Array.isArray(value) || isRecord(value);

/** Of a key that means something else to JavaScript than to JSON the schema is to think. */
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Object.hasOwn(value, "__proto__");
