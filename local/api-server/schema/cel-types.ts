import type { Environment } from "@marcbachmann/cel-js";
import { isObject } from "../objects.ts";
import type { Schema } from "./schema.ts";

const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** A property's name as CEL rules write it; undefined when CEL has no way to write it. */
function celIdentifier(property: string): string | undefined {
  if (reserved.has(property)) return `__${property}__`;
  const escaped = property
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}

/** Declares the CEL type of a schema in `environment`, with the types that it consists of, and returns its name. */
export function declareType(environment: Environment, schema: Schema, name: string): string {
  if (schema["x-kubernetes-int-or-string"]) return "dyn";
  switch (schema.type ?? "") {
    case "integer":
      return "int";
    case "number":
      return "double";
    case "boolean":
      return "bool";
    case "string":
      return stringType(schema.format);
    case "array":
      return schema.items ? `list<${declareType(environment, schema.items, `${name}_item`)}>` : "list<dyn>";
    case "object":
      return declareObject(environment, schema, name);
    default:
      return "dyn";
  }
}

function stringType(format: string | undefined): string {
  if (format === "date-time" || format === "date") return "google.protobuf.Timestamp";
  if (format === "duration") return "google.protobuf.Duration";
  return format === "byte" ? "bytes" : "string";
}

function declareObject(environment: Environment, schema: Schema, name: string): string {
  if (typeof schema.additionalProperties === "object") {
    return `map<string, ${declareType(environment, schema.additionalProperties, `${name}_value`)}>`;
  }
  if (schema.properties === undefined || schema["x-kubernetes-preserve-unknown-fields"]) return "dyn";
  const fields: Record<string, string> = {};
  for (const [property, propertySchema] of Object.entries(schema.properties)) {
    const identifier = celIdentifier(property);
    if (identifier !== undefined)
      fields[identifier] = declareType(environment, propertySchema, `${name}_${identifier}`);
  }
  environment.registerType(name, { fields });
  return name;
}

/** A JSON value as CEL sees it: integers as BigInt, dates as Date, properties under their CEL names. */
export function celValue(value: unknown, schema: Schema | undefined): unknown {
  if (typeof value === "number") return isInteger(value, schema) ? BigInt(value) : value;
  if (typeof value === "string") {
    const dated = schema?.type === "string" && (schema.format === "date-time" || schema.format === "date");
    return dated ? new Date(value) : value;
  }
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items));
  if (!isObject(value)) return value;
  const converted: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const property = schema?.properties?.[name];
    const additional = typeof schema?.additionalProperties === "object" ? schema.additionalProperties : undefined;
    const key = property ? celIdentifier(name) : name;
    if (key !== undefined) converted[key] = celValue(field, property ?? additional);
  }
  return converted;
}

function isInteger(value: number, schema: Schema | undefined): boolean {
  return Number.isInteger(value) && schema?.type !== "number";
}
