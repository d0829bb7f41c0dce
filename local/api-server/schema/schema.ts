/** One `x-kubernetes-validations` rule as a CRD writes it. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
  optionalOldSelf?: boolean;
}

/** The OpenAPI v3 schema of a field: a CRD's structural schema, or a built-in kind's (then it may be cyclic). */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  nullable?: boolean;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-validations"?: ValidationRule[];
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  /** The Go type of a built-in kind's part (`v1.PodSpec`), which some messages name. */
  "x-kubernetes-go-struct"?: string;
  /** Protobuf numbers of a built-in kind's fields; `2.3` is field 3 of the struct in field 2 that JSON inlines. */
  "x-kubernetes-proto"?: Record<string, number | string>;
}

/** A place where anything may stand. */
const anything: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** The schema of `parent`'s field `name`; undefined when the schema does not know the field. */
export function fieldSchema(parent: Schema | undefined, name: string): Schema | undefined {
  if (parent === undefined) return undefined;
  const property = parent.properties && Object.hasOwn(parent.properties, name) ? parent.properties[name] : undefined;
  if (property !== undefined) return property;
  if (typeof parent.additionalProperties === "object") return parent.additionalProperties;
  return keepsUnknownFields(parent) ? anything : undefined;
}

export function keepsUnknownFields(schema: Schema): boolean {
  return schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties === true;
}

/** Whether the field is owned and replaced as a whole by server-side apply. */
export function isAtomic(schema: Schema | undefined, value: unknown): boolean {
  if (Array.isArray(value)) {
    const listType = schema?.["x-kubernetes-list-type"];
    return listType !== "map" && listType !== "set";
  }
  return schema?.["x-kubernetes-map-type"] === "atomic";
}
