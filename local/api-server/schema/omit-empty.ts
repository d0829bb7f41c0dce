import { isObject, type JsonObject } from "../objects.ts";
import type { Schema } from "./schema.ts";

/**
 * A built-in object as the real server writes it back: nulls, and empty lists and maps that are not required, are left out.
 * Empty structs (`emptyDir: {}`) mean something and stay.
 */
export function omitEmpty(value: unknown, schema: Schema | undefined): unknown {
  if (schema === undefined || schema["x-kubernetes-preserve-unknown-fields"]) return value;
  if (Array.isArray(value)) return value.map((item) => omitEmpty(item, schema.items));
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const additional = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
    const fieldSchema = schema.properties?.[name] ?? additional;
    if (field === null || field === undefined) continue;
    if (isEmptyCollection(field, fieldSchema) && !schema.required?.includes(name)) continue;
    kept[name] = omitEmpty(field, fieldSchema);
  }
  return kept;
}

function isEmptyCollection(value: unknown, schema: Schema | undefined): boolean {
  if (Array.isArray(value)) return value.length === 0;
  const isMap = typeof schema?.additionalProperties === "object" && schema.properties === undefined;
  return isMap && isObject(value) && Object.keys(value).length === 0;
}
