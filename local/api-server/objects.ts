/** A JSON object whose fields are not known here. */
export type JsonObject = Record<string, unknown>;

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  time?: string;
  fieldsType: "FieldsV1";
  fieldsV1: JsonObject;
  subresource?: string;
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

/** A stored object. Stored objects are never mutated: every write replaces the whole. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object in `value[field]`, or an empty one when it is absent or of another type. */
export function objectAt(value: unknown, field: string): JsonObject {
  const found = isObject(value) ? value[field] : undefined;
  return isObject(found) ? found : {};
}

/** The string in `value[field]`, or undefined when it is absent or of another type. */
export function stringAt(value: unknown, field: string): string | undefined {
  const found = isObject(value) ? value[field] : undefined;
  return typeof found === "string" ? found : undefined;
}

/** The number in `value[field]`, or undefined when it is absent or of another type. */
export function numberAt(value: unknown, field: string): number | undefined {
  const found = isObject(value) ? value[field] : undefined;
  return typeof found === "number" ? found : undefined;
}

/** The list in `value[field]`, or an empty one when it is absent or of another type. */
export function listAt(value: unknown, field: string): unknown[] {
  const found = isObject(value) ? value[field] : undefined;
  return Array.isArray(found) ? found : [];
}

/** The objects among the items of the list in `value[field]`. */
export function objectsAt(value: unknown, field: string): JsonObject[] {
  return listAt(value, field).filter(isObject);
}

/** A scalar as text; anything else as JSON. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** A deep copy of JSON data; much faster than structuredClone for the small objects of an API server. */
export function copyJson<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyJson) as T;
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const key in value) copy[key] = copyJson(value[key]);
  return copy as T;
}

/** Whether two JSON values are equal; the order of an object's fields does not matter, undefined means absent. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => sameJson(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  for (const key in left) if (!sameJson(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}
