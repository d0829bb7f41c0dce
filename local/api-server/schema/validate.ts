import { duplicateField, invalidField, requiredField, unsupportedValue, type FieldError } from "../api-error.ts";
import { isObject, sameJson, type JsonObject } from "../objects.ts";
import type { Schema } from "./schema.ts";

/** Checks a value against its structural schema; the messages are those of the real API server. */
export function validateSchema(value: unknown, schema: Schema, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  visit(value, schema, path, errors);
  return errors;
}

/** Checks that lists of type `set` and `map` hold no item twice. */
export function validateListTypes(value: unknown, schema: Schema, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  visitLists(value, schema, path, errors);
  return errors;
}

function visit(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (value === null && (schema.nullable || schema.type === undefined)) return;
  const problem = typeProblem(value, schema, path);
  if (problem) {
    errors.push(problem);
    return;
  }
  if (schema.enum && !schema.enum.some((choice) => sameJson(choice, value))) {
    errors.push(unsupportedValue(path, value, schema.enum));
  }
  if (typeof value === "number") checkNumber(value, schema, path, errors);
  else if (typeof value === "string") checkString(value, schema, path, errors);
  else if (Array.isArray(value)) checkList(value, schema, path, errors);
  else if (isObject(value)) checkObject(value, schema, path, errors);
  checkCombinations(value, schema, path, errors);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function typeProblem(value: unknown, schema: Schema, path: string): FieldError | undefined {
  const actual = typeName(value);
  const expected = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : schema.type ? [schema.type] : [];
  if (expected.length === 0 || expected.includes(actual) || (expected.includes("number") && actual === "integer"))
    return undefined;
  const message = `Invalid value: "${actual}": ${path} in body must be of type ${expected.join(",")}: "${actual}"`;
  return { reason: "FieldValueTypeInvalid", field: path || "<nil>", message };
}

function checkNumber(value: number, schema: Schema, path: string, errors: FieldError[]): void {
  const { minimum, maximum, multipleOf } = schema;
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    const bound = schema.exclusiveMaximum ? "less than" : "less than or equal to";
    errors.push(invalidField(path, value, `${path} in body should be ${bound} ${maximum}`));
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    const bound = schema.exclusiveMinimum ? "greater than" : "greater than or equal to";
    errors.push(invalidField(path, value, `${path} in body should be ${bound} ${minimum}`));
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) {
    errors.push(invalidField(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  }
  const range = schema.format ? integerRanges[schema.format] : undefined;
  if (range && (value < -range || value > range - 1)) {
    errors.push(invalidField(path, value, `${path} in body must be of type ${schema.format}: "${value}"`));
  }
}

const integerRanges: Record<string, number> = { int32: 2 ** 31, int64: 2 ** 63 };

function checkString(value: string, schema: Schema, path: string, errors: FieldError[]): void {
  const { minLength, maxLength, pattern, format } = schema;
  const length = Array.from(value).length;
  if (maxLength !== undefined && length > maxLength) {
    errors.push({
      reason: "FieldValueTooLong",
      field: path,
      message: `Too long: may not be more than ${maxLength} bytes`,
    });
  }
  if (minLength !== undefined && length < minLength) {
    errors.push(invalidField(path, value, `${path} in body should be at least ${minLength} chars long`));
  }
  if (pattern !== undefined && !compiled(pattern).test(value)) {
    errors.push(invalidField(path, value, `${path} in body should match '${pattern}'`));
  }
  const check = format ? stringFormats[format] : undefined;
  if (check && !check(value)) {
    errors.push(invalidField(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
  }
}

const stringFormats: Record<string, (value: string) => boolean> = {
  "date-time": (value) => /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}/.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)),
  uri: (value) => URL.canParse(value),
  duration: (value) => /^\s*[+-]?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w)\s*)+$/i.test(value),
  uuid: (value) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value),
  byte: (value) => /^[A-Za-z0-9+/]*={0,2}$/.test(value),
};

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  let expression = patterns.get(pattern);
  if (expression === undefined) patterns.set(pattern, (expression = new RegExp(pattern, "u")));
  return expression;
}

function checkList(value: unknown[], schema: Schema, path: string, errors: FieldError[]): void {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && value.length > maxItems) {
    errors.push({
      reason: "FieldValueTooMany",
      field: path,
      message: `Too many: ${value.length}: must have at most ${maxItems} items`,
    });
  }
  if (minItems !== undefined && value.length < minItems) {
    errors.push(invalidField(path, value.length, `${path} in body should have at least ${minItems} items`));
  }
  if (items) value.forEach((item, index) => visit(item, items, `${path}[${index}]`, errors));
}

function checkObject(value: JsonObject, schema: Schema, path: string, errors: FieldError[]): void {
  const count = Object.keys(value).length;
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push({
      reason: "FieldValueTooMany",
      field: path,
      message: `Too many: ${count}: must have at most ${schema.maxProperties} items`,
    });
  }
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(invalidField(path, count, `${path} in body should have at least ${schema.minProperties} properties`));
  }
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) if (value[name] === undefined) errors.push(requiredField(at(name)));
  for (const name of Object.keys(value).sort()) {
    const property = schema.properties?.[name];
    if (property) visit(value[name], property, at(name), errors);
    else if (typeof schema.additionalProperties === "object")
      visit(value[name], schema.additionalProperties, at(name), errors);
  }
}

function checkCombinations(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  const matches = (part: Schema): boolean => validateSchema(value, part, path).length === 0;
  for (const part of schema.allOf ?? []) visit(value, part, path, errors);
  if (schema.anyOf && !schema["x-kubernetes-int-or-string"] && !schema.anyOf.some(matches)) {
    errors.push(invalidField(path, shown(value), `${path} in body must validate at least one schema (anyOf)`));
  }
  if (schema.oneOf && schema.oneOf.filter(matches).length !== 1) {
    errors.push(invalidField(path, shown(value), `${path} in body must validate one and only one schema (oneOf)`));
  }
  if (schema.not && matches(schema.not)) {
    errors.push(invalidField(path, shown(value), `${path} in body must not validate the schema (not)`));
  }
}

function shown(value: unknown): unknown {
  return isObject(value) || Array.isArray(value) ? typeName(value) : value;
}

function visitLists(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    checkDuplicates(value, schema, path, errors);
    const { items } = schema;
    if (items) value.forEach((item, index) => visitLists(item, items, `${path}[${index}]`, errors));
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value).sort()) {
    const property = schema.properties?.[name] ?? schema.additionalProperties;
    if (typeof property === "object") visitLists(value[name], property, path === "" ? name : `${path}.${name}`, errors);
  }
}

function checkDuplicates(list: unknown[], schema: Schema, path: string, errors: FieldError[]): void {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "map" && listType !== "set") return;
  const seen = new Set<string>();
  list.forEach((item, index) => {
    const identity = listType === "set" ? item : keysOf(item, schema["x-kubernetes-list-map-keys"] ?? []);
    const text = JSON.stringify(identity);
    if (seen.has(text)) errors.push(duplicateField(`${path}[${index}]`, identity));
    seen.add(text);
  });
}

function keysOf(item: unknown, names: readonly string[]): JsonObject {
  const keys: JsonObject = {};
  for (const name of names) if (isObject(item) && item[name] !== undefined) keys[name] = item[name];
  return keys;
}
