import { isObject, textOf, type JsonObject } from "../objects.ts";
import { canonicalQuantity } from "../quantity.ts";
import type { Schema } from "./schema.ts";

/**
 * A built-in object as the real server writes it back: nulls, and empty lists and maps that are not required, are left out.
 * Empty structs (`emptyDir: {}`) mean something and stay. A null in a map of strings is an empty string; quantities are
 * written in one way.
 */
export function omitEmpty(value: unknown, schema: Schema | undefined): unknown {
  if (schema === undefined || schema["x-kubernetes-preserve-unknown-fields"]) return value;
  if (isQuantity(schema)) return canonicalQuantity(textOf(value));
  if (Array.isArray(value)) return value.map((item) => omitEmpty(item, schema.items));
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const additional = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
    const fieldSchema = schema.properties?.[name] ?? additional;
    if (field === undefined) continue;
    if (field === null && additional?.type === "string") kept[name] = "";
    if (field === null) continue;
    if (isEmptyCollection(field, fieldSchema) && !schema.required?.includes(name)) continue;
    kept[name] = omitEmpty(field, fieldSchema);
  }
  return kept;
}

export function isQuantity(schema: Schema): boolean {
  return schema["x-kubernetes-go-struct"] === "resource.Quantity";
}

function isEmptyCollection(value: unknown, schema: Schema | undefined): boolean {
  if (Array.isArray(value)) return value.length === 0;
  const isMap = typeof schema?.additionalProperties === "object" && schema.properties === undefined;
  return isMap && isObject(value) && Object.keys(value).length === 0;
}
