import { isObject, textOf } from "../objects.ts";
import { parseQuantity } from "../quantity.ts";
import { isQuantity } from "./omit-empty.ts";
import type { Schema } from "./schema.ts";

/** The first value whose type a built-in kind cannot hold, in the words of Go's JSON decoder; undefined when all fit. */
export function typeMismatch(value: unknown, schema: Schema): string | undefined {
  return mismatchAt(value, schema, { struct: schema["x-kubernetes-go-struct"] ?? "", path: "" });
}

/** A place as Go's decoder names it: the innermost struct, then the whole path (`ServicePort.spec.ports.port`). */
interface Place {
  struct: string;
  path: string;
}

function mismatchAt(value: unknown, schema: Schema, at: Place): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) {
    if (schema.type !== undefined && schema.type !== "array") return mismatch("array", schema, at);
    return schema.items ? firstOf(value, (item) => mismatchAt(item, schema.items ?? {}, at)) : undefined;
  }
  if (isObject(value)) {
    if (schema.type !== undefined && schema.type !== "object") return mismatch("object", schema, at);
    const struct = schema["x-kubernetes-go-struct"] ?? at.struct;
    return firstOf(Object.entries(value), ([name, field]) => {
      const additional = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
      const property = schema.properties?.[name];
      if (property) return mismatchAt(field, property, { struct, path: `${at.path}.${name}` });
      return additional ? mismatchAt(field, additional, at) : undefined;
    });
  }
  if (isQuantity(schema) && parseQuantity(textOf(value)) === undefined) return quantityRule;
  if (schema.format === "byte" && typeof value === "string") return base64Problem(value);
  const actual = typeof value === "boolean" ? "bool" : typeof value;
  if (schema.type === undefined || fits(value, schema.type)) return undefined;
  return mismatch(actual === "number" ? numberName(value, schema) : actual, schema, at);
}

const quantityRule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function base64Problem(text: string): string | undefined {
  const problem = (index: number): string => `illegal base64 data at input byte ${index}`;
  const padded = text.replace(/[\r\n]/g, "");
  const wrong = padded.search(/[^A-Za-z0-9+/=]/);
  if (wrong !== -1) return problem(wrong);
  return /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(padded)
    ? undefined
    : problem(padded.length - (padded.length % 4));
}

function firstOf<T>(items: readonly T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = check(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function fits(value: unknown, type: string): boolean {
  switch (type) {
    case "string":
    case "boolean":
    case "number":
      return typeof value === type;
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    default:
      return false;
  }
}

function numberName(value: unknown, schema: Schema): string {
  return schema.type === "integer" ? `number ${String(value)}` : "number";
}

const scalars: Record<string, string> = { boolean: "bool", number: "float64" };

/** `v1.PodSpec`, `map[string]string`, `[]v1.Container`, `int32`. */
function goType(schema: Schema): string {
  const { type = "", format, items, additionalProperties } = schema;
  if (schema["x-kubernetes-go-struct"]) return schema["x-kubernetes-go-struct"];
  if (type === "integer") return format ?? "int64";
  if (type === "array") return `[]${goType(items ?? {})}`;
  if (typeof additionalProperties === "object") return `map[string]${goType(additionalProperties)}`;
  return scalars[type] ?? type;
}

function mismatch(actual: string, schema: Schema, { struct, path }: Place): string {
  const [name = ""] = struct.split(".").slice(-1);
  return `json: cannot unmarshal ${actual} into Go struct field ${name}${path} of type ${goType(schema)}`;
}
