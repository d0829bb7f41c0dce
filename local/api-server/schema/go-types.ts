import { isObject } from "../objects.ts";
import type { Schema } from "./schema.ts";

/** The first value whose type a built-in kind cannot hold, in the words of Go's JSON decoder; undefined when all fit. */
export function typeMismatch(value: unknown, schema: Schema, path: string): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) {
    if (schema.type !== undefined && schema.type !== "array") return mismatch("array", schema, path);
    return schema.items ? firstOf(value, (item) => typeMismatch(item, schema.items ?? {}, path)) : undefined;
  }
  if (isObject(value)) {
    if (schema.type !== undefined && schema.type !== "object") return mismatch("object", schema, path);
    return firstOf(Object.entries(value), ([name, field]) => {
      const additional = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
      const property = schema.properties?.[name];
      if (property) return typeMismatch(field, property, `${path}.${name}`);
      return additional ? typeMismatch(field, additional, path) : undefined;
    });
  }
  const actual = typeof value === "boolean" ? "bool" : typeof value;
  if (schema.type === undefined || fits(value, schema.type)) return undefined;
  return mismatch(actual === "number" ? numberName(value, schema) : actual, schema, path);
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

const goTypes: Record<string, string> = { boolean: "bool", object: "struct", array: "slice", number: "float64" };

function mismatch(actual: string, schema: Schema, path: string): string {
  const expected = schema.type === "integer" ? (schema.format ?? "int64") : (goTypes[schema.type ?? ""] ?? schema.type);
  return `json: cannot unmarshal ${actual} into Go struct field ${path} of type ${expected}`;
}
