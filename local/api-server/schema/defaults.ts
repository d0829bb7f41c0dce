import { copyJson, isObject, type JsonObject } from "../objects.ts";
import type { Schema } from "./schema.ts";

/** `value` with the schema's defaults filled in; a null where the schema does not allow null counts as absent. */
export function withSchemaDefaults(value: JsonObject, schema: Schema): JsonObject {
  return defaulted(value, schema) as JsonObject;
}

function defaulted(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const items = schema.items;
    return items ? value.map((item) => defaulted(item, items)) : value;
  }
  if (!isObject(value)) return value;
  const result: JsonObject = { ...value };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (result[name] === null && !property.nullable && property.type !== undefined) delete result[name];
    if (result[name] === undefined && property.default !== undefined) result[name] = copyJson(property.default);
    if (result[name] !== undefined) result[name] = defaulted(result[name], property);
  }
  const { additionalProperties } = schema;
  if (typeof additionalProperties === "object") {
    for (const name of Object.keys(result)) {
      if (schema.properties?.[name] === undefined) result[name] = defaulted(result[name], additionalProperties);
    }
  }
  return result;
}
