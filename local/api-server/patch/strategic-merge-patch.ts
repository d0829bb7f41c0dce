import { ApiError } from "../api-error.ts";
import { isObject, listAt, textOf, type JsonObject } from "../objects.ts";
import { fieldSchema, type Schema } from "../schema/schema.ts";

/** A strategic merge patch: like a merge patch, but lists with a merge key merge item by item, and `$` directives rule. */
export function strategicMergePatch(target: unknown, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const { $patch: directive, $retainKeys: _, ...fields } = patch;
  if (directive === "replace") return fields;
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge")
    throw new ApiError(500, "", `unknown patch type: ${textOf(directive)} in map: ${goText(patch)}`);
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
  if (key === undefined) return interleaved(patch, list, (item) => JSON.stringify(item));
  if (patch.some((item) => isObject(item) && item["$patch"] === "replace" && !(key in item))) {
    return patch.filter((item) => !isDirective(item));
  }
  const deleted = new Set(
    patch.filter((item) => isObject(item) && item["$patch"] === "delete").map((item) => keyText(item, key)),
  );
  const present = new Map(list.map((item) => [keyText(item, key), item]));
  const patched = patch.filter((item) => isObject(item) && !deleted.has(keyText(item, key)));
  const merged = patched.map((item) =>
    strategicMergePatch(present.get(keyText(item, key)) ?? {}, item as JsonObject, schema.items),
  );
  const kept = list.filter((item) => !deleted.has(keyText(item, key)));
  return interleaved(merged, kept, (item) => keyText(item, key));
}

function isDirective(item: unknown): boolean {
  return isObject(item) && "$patch" in item && Object.keys(item).length === 1;
}

function keyText(item: unknown, key: string): string {
  if (!isObject(item) || item[key] === undefined) {
    throw new ApiError(500, "", `map: ${goText(item)} does not contain declared merge key: ${key}`);
  }
  return JSON.stringify(item[key]);
}

/** A JSON value as Go prints it: `map[image:nginx name:web]`. */
function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (!isObject(value)) return textOf(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${fields.map(([name, field]) => `${name}:${goText(field)}`).join(" ")}]`;
}

/** `leading` in its own order; the items that only `present` has go before the ones that they stood before. */
function interleaved(
  leading: readonly unknown[],
  present: readonly unknown[],
  identity: (item: unknown) => string,
): unknown[] {
  const positions = new Map(present.map((item, index) => [identity(item), index]));
  const led = new Set(leading.map(identity));
  const others = present.filter((item) => !led.has(identity(item)));
  const merged: unknown[] = [];
  let taken = 0;
  for (const item of leading) {
    const position = positions.get(identity(item)) ?? -1;
    while (taken < others.length && (positions.get(identity(others[taken])) ?? 0) < position)
      merged.push(others[taken++]);
    merged.push(item);
  }
  return [...merged, ...others.slice(taken)];
}

/** The items that `order` names in its order; the others keep their place among them. */
function ordered(list: unknown[], order: unknown[], key: string | undefined): unknown[] {
  const identity = (item: unknown): string => JSON.stringify(key !== undefined && isObject(item) ? item[key] : item);
  const wanted = order.map(identity);
  const named = list.filter((item) => wanted.includes(identity(item)));
  named.sort((a, b) => wanted.indexOf(identity(a)) - wanted.indexOf(identity(b)));
  return interleaved(named, list, identity);
}
