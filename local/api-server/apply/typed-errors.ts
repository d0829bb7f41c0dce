import { isObject } from "../objects.ts";
import { fieldSchema, type Schema } from "../schema/schema.ts";
import { readable } from "./field-set.ts";
import { itemElement } from "./typed-value.ts";

/** What keeps a value from being applied as its schema's type, a line for each place (`.spec.replicas: …`). */
export function typedErrors(value: unknown, schema: Schema, path = ""): string[] {
  if (value === null || value === undefined) return [];
  if (schema["x-kubernetes-preserve-unknown-fields"] && schema.properties === undefined) return [];
  switch (kindOf(schema)) {
    case "map":
      return isObject(value) ? mapErrors(value, schema, path) : [`${path}: expected map, got ${shown(value)}`];
    case "list":
      return Array.isArray(value) ? listErrors(value, schema, path) : [`${path}: expected list, got ${shown(value)}`];
    case "string":
      return typeof value === "string" ? [] : [`${path}: expected string, got ${shown(value)}`];
    case "boolean":
      return typeof value === "boolean" ? [] : [`${path}: expected boolean, got ${shown(value)}`];
    case "number":
      return typeof value === "number" ? [] : [`${path}: expected numeric (int or float), got ${goType(value)}`];
    case undefined:
      return [];
  }
}

function kindOf({
  type,
  properties,
  additionalProperties,
}: Schema): "map" | "list" | "number" | "string" | "boolean" | undefined {
  if (type === "object" || properties || additionalProperties) return "map";
  if (type === "array") return "list";
  if (type === "integer" || type === "number") return "number";
  return type === "string" || type === "boolean" ? type : undefined;
}

function mapErrors(value: object, schema: Schema, path: string): string[] {
  const isFree = schema.properties === undefined && schema.additionalProperties === undefined;
  return Object.entries(value).flatMap(([name, field]) => {
    const known = fieldSchema(schema, name);
    if (known) return typedErrors(field, known, `${path}.${name}`);
    return isFree ? [] : [`${path}.${name}: field not declared in schema`];
  });
}

function listErrors(list: unknown[], schema: Schema, path: string): string[] {
  const { items = {} } = schema;
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "map" && listType !== "set")
    return list.flatMap((item, index) => typedErrors(item, items, `${path}[${index}]`));
  const seen = new Map<string, number>();
  const errors = list.flatMap((item, index) => {
    if (omitsKeys(item, schema)) {
      const keys = `[${(schema["x-kubernetes-list-map-keys"] ?? []).map((key) => JSON.stringify(key)).join(" ")}]`;
      const why = `omits all key fields ${keys} (and doesn't have default values for any key fields)`;
      return [`${path}: element ${index}: associative list with keys has an element that ${why}`];
    }
    const element = itemElement(item, schema);
    seen.set(element, (seen.get(element) ?? 0) + 1);
    return typedErrors(item, items, path + readable(element));
  });
  const twice = [...seen].filter(([, count]) => count > 1);
  return [...errors, ...twice.map(([element]) => `${path}: duplicate entries for key ${readable(element)}`)];
}

function omitsKeys(item: unknown, schema: Schema): boolean {
  const keys = schema["x-kubernetes-list-map-keys"];
  // Keys of built-in items have an empty default.
  if (keys === undefined || schema.items?.["x-kubernetes-go-struct"]) return false;
  return keys.every(
    (key) => (!isObject(item) || item[key] === undefined) && schema.items?.properties?.[key]?.default === undefined,
  );
}

function goType(value: unknown): string {
  if (typeof value === "boolean") return "bool";
  return isObject(value) ? "map[string]interface {}" : Array.isArray(value) ? "[]interface {}" : typeof value;
}

function shown(value: unknown): string {
  return `&value.valueUnstructured{Value:${goValue(value)}}`;
}

function goValue(value: unknown): string {
  const entries = isObject(value)
    ? Object.entries(value).map(([key, field]) => `${JSON.stringify(key)}:${goValue(field)}`)
    : [];
  if (isObject(value)) return `map[string]interface {}{${entries.join(", ")}}`;
  return Array.isArray(value) ? `[]interface {}{${value.map(goValue).join(", ")}}` : JSON.stringify(value);
}
