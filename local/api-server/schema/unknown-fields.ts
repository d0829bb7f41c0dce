import { isObject, type JsonObject } from "../objects.ts";
import { fieldSchema, keepsUnknownFields, type Schema } from "./schema.ts";

/** `value` without the fields that its schema does not know, and their paths (`spec.items[0].foo`). */
export function pruneUnknownFields(value: JsonObject, schema: Schema): { value: JsonObject; unknown: string[] } {
  const unknown: string[] = [];
  return { value: pruned(value, schema, "", unknown) as JsonObject, unknown };
}

function pruned(value: unknown, schema: Schema | undefined, path: string, unknown: string[]): unknown {
  if (schema === undefined) return value;
  if (Array.isArray(value)) {
    const items = schema.items;
    return items ? value.map((item, index) => pruned(item, items, `${path}[${index}]`, unknown)) : value;
  }
  if (!isObject(value)) return value;
  const isMap = typeof schema.additionalProperties === "object";
  if (keepsUnknownFields(schema) && schema.properties === undefined) return value;
  if (schema.properties === undefined && !isMap && schema.type !== "object") return value;
  const kept: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const fieldPath = path === "" ? name : `${path}.${name}`;
    const known = fieldSchema(schema, name);
    if (known === undefined) unknown.push(fieldPath);
    else kept[name] = pruned(field, known, fieldPath, unknown);
  }
  return kept;
}
