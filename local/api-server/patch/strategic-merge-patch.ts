import { badRequest } from "../api-error.ts";
import { isObject, listAt, sameJson, type JsonObject } from "../objects.ts";
import { fieldSchema, type Schema } from "../schema/schema.ts";

/** A strategic merge patch: like a merge patch, but lists with a merge key merge item by item, and `$` directives rule. */
export function strategicMergePatch(target: unknown, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const { $patch: directive, $retainKeys: _, ...fields } = patch;
  if (directive === "replace") return fields;
  if (directive === "delete") return {};
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  const retained = listAt(patch, "$retainKeys");
  if (retained.length > 0) for (const name of Object.keys(merged)) if (!retained.includes(name)) delete merged[name];
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith("$deleteFromPrimitiveList/")) removeValues(merged, name.slice(name.indexOf("/") + 1), value);
    else if (!name.startsWith("$setElementOrder/")) setField(merged, name, value, fieldSchema(schema, name));
  }
  for (const [name, order] of Object.entries(fields)) {
    if (!name.startsWith("$setElementOrder/") || !Array.isArray(order)) continue;
    const field = name.slice(name.indexOf("/") + 1);
    merged[field] = ordered(listAt(merged, field), order, fieldSchema(schema, field)?.["x-kubernetes-patch-merge-key"]);
  }
  return merged;
}

function setField(merged: JsonObject, name: string, value: unknown, schema: Schema | undefined): void {
  if (value === null) delete merged[name];
  else if (isObject(value)) merged[name] = strategicMergePatch(merged[name], value, schema);
  else if (Array.isArray(value)) merged[name] = mergeList(merged[name], value, schema);
  else merged[name] = value;
}

function removeValues(merged: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(merged[name]) || !Array.isArray(values)) return;
  merged[name] = listAt(merged, name).filter((item) => !values.includes(item));
}

function mergeList(current: unknown, patch: unknown[], schema: Schema | undefined): unknown[] {
  const strategies = (schema?.["x-kubernetes-patch-strategy"] ?? "").split(",");
  const list = Array.isArray(current) ? (current as unknown[]) : [];
  if (!strategies.includes("merge") || !schema) return patch.filter((item) => !isDirective(item));
  const key = schema["x-kubernetes-patch-merge-key"];
  if (key === undefined) return [...list, ...patch.filter((item) => !list.some((present) => sameJson(present, item)))];
  if (patch.some((item) => isObject(item) && item["$patch"] === "replace" && !(key in item))) {
    return patch.filter((item) => !isDirective(item));
  }
  const merged = [...list];
  for (const item of patch) mergeItem(merged, item, key, schema.items);
  return merged;
}

function isDirective(item: unknown): boolean {
  return isObject(item) && "$patch" in item && Object.keys(item).length === 1;
}

function mergeItem(merged: unknown[], item: unknown, key: string, schema: Schema | undefined): void {
  if (!isObject(item)) return;
  if (item[key] === undefined)
    throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  const position = merged.findIndex((present) => isObject(present) && present[key] === item[key]);
  if (item["$patch"] === "delete") {
    if (position !== -1) merged.splice(position, 1);
  } else if (position === -1) merged.push(strategicMergePatch({}, item, schema));
  else merged[position] = strategicMergePatch(merged[position], item, schema);
}

/** The items that `order` names in its order; the others keep their place among them. */
function ordered(list: unknown[], order: unknown[], key: string | undefined): unknown[] {
  const identity = (item: unknown): string => JSON.stringify(key !== undefined && isObject(item) ? item[key] : item);
  const wanted = order.map(identity);
  const named = list.filter((item) => wanted.includes(identity(item)));
  named.sort((a, b) => wanted.indexOf(identity(a)) - wanted.indexOf(identity(b)));
  return list.map((item) => (wanted.includes(identity(item)) ? named.shift() : item));
}
