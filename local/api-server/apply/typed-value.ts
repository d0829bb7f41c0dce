import { isObject, sameJson, type JsonObject } from "../objects.ts";
import { fieldSchema, isAtomic, type Schema } from "../schema/schema.ts";
import { emptySet, fieldSet, isEmpty, leaf, type FieldSet } from "./field-set.ts";

/** The parts of a value that can be owned one by one: an object's fields, or the items of a keyed list. */
type Parts = Map<string, { value: unknown; schema: Schema | undefined }>;

/** The path element of an item of a `map` or `set` list. */
export function itemElement(item: unknown, schema: Schema): string {
  if (schema["x-kubernetes-list-type"] === "set") return `v:${JSON.stringify(item)}`;
  const keys: JsonObject = {};
  for (const key of [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort()) {
    const value = isObject(item) ? (item[key] ?? schema.items?.properties?.[key]?.default) : undefined;
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** The parts of `value`, or undefined when it is owned as a whole: a scalar, an atomic list or object. */
function partsOf(value: unknown, schema: Schema | undefined): Parts | undefined {
  if (isAtomic(schema, value)) return undefined;
  const parts: Parts = new Map();
  if (Array.isArray(value)) {
    if (schema === undefined) return undefined;
    for (const item of value) parts.set(itemElement(item, schema), { value: item, schema: schema.items });
    return parts;
  }
  if (!isObject(value)) return undefined;
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) parts.set(`f:${name}`, { value: field, schema: fieldSchema(schema, name) });
  }
  return parts;
}

/** Every field that `value` sets, as an applier owns them: leaves, empty objects, and items of keyed lists. */
export function fieldsOf(value: unknown, schema: Schema | undefined, isItem = false): FieldSet {
  const parts = partsOf(value, schema);
  if (parts === undefined) return leaf;
  if (parts.size === 0) return Array.isArray(value) && !isItem ? emptySet : leaf;
  const children: [string, FieldSet][] = [];
  for (const [element, part] of parts)
    children.push([element, fieldsOf(part.value, part.schema, !isDeclaredField(schema, element))]);
  return fieldSet(isItem, children);
}

/** Fields of a struct belong to it; entries of a map, as items of a list, are there or not by themselves. */
function isDeclaredField(schema: Schema | undefined, element: string): boolean {
  return element.startsWith("f:") && schema?.properties?.[element.slice(2)] !== undefined;
}

export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

const nothing: Comparison = { added: emptySet, modified: emptySet, removed: emptySet };

/** Which fields differ between two states of an object. */
export function compare(before: unknown, after: unknown, schema: Schema | undefined): Comparison {
  if (sameJson(before, after)) return nothing;
  if (before === undefined || before === null) return { ...nothing, added: wholly(after, schema) };
  if (after === undefined || after === null) return { ...nothing, removed: wholly(before, schema) };
  const old = partsOf(before, schema);
  const fresh = partsOf(after, schema);
  if (old === undefined || fresh === undefined) return { ...nothing, modified: leaf };

  const added: [string, FieldSet][] = [];
  const modified: [string, FieldSet][] = [];
  const removed: [string, FieldSet][] = [];
  for (const [element, part] of fresh) {
    const inner = compare(
      old.get(element)?.value ?? initialValue(schema, element, part.schema),
      part.value,
      part.schema,
    );
    added.push([element, inner.added]);
    modified.push([element, inner.modified]);
    removed.push([element, inner.removed]);
  }
  for (const [element, part] of old) if (!fresh.has(element)) removed.push([element, wholly(part.value, part.schema)]);
  return { added: fieldSet(false, added), modified: fieldSet(false, modified), removed: fieldSet(false, removed) };
}

/**
 * What a field holds on the real server before anyone sets it. Structs that are no pointers (OpenAPI gives them the default `{}`)
 * and required lists are always written, so that setting something in them does not add the field itself.
 */
function initialValue(parent: Schema | undefined, element: string, schema: Schema | undefined): unknown {
  if (!element.startsWith("f:") || schema === undefined) return undefined;
  if (isObject(schema.default) && Object.keys(schema.default).length === 0) return {};
  return schema.type === "array" && parent?.required?.includes(element.slice(2)) ? [] : undefined;
}

/** The field itself and everything in it. */
function wholly(value: unknown, schema: Schema | undefined): FieldSet {
  const parts = partsOf(value, schema);
  if (parts === undefined) return leaf;
  return fieldSet(
    true,
    [...parts].map(([element, part]) => [element, wholly(part.value, part.schema)] as const),
  );
}

/** `applied` laid over `live`: scalars and atomic values are replaced, objects and keyed lists merged. */
export function merge(live: unknown, applied: unknown, schema: Schema | undefined): unknown {
  if (live === undefined || live === null || applied === null) return applied;
  if (isAtomic(schema, applied)) return applied;
  if (Array.isArray(applied) && Array.isArray(live) && schema) return mergeLists(live, applied, schema);
  if (isObject(applied) && isObject(live)) {
    const merged: JsonObject = { ...live };
    for (const [name, value] of Object.entries(applied))
      merged[name] = merge(live[name], value, fieldSchema(schema, name));
    return merged;
  }
  return applied;
}

/** Items that only `live` has stay where they were; the others come in the order of `applied`. */
function mergeLists(live: unknown[], applied: unknown[], schema: Schema): unknown[] {
  const wanted = new Set(applied.map((item) => itemElement(item, schema)));
  const current = new Map(live.map((item) => [itemElement(item, schema), item]));
  const pending = [...current.keys()];
  const merged: unknown[] = [];
  const keepUntil = (element: string | undefined): void => {
    while (pending.length > 0 && pending[0] !== element) {
      const next = pending[0] ?? "";
      if (wanted.has(next)) return;
      merged.push(current.get(next));
      pending.shift();
    }
  };
  for (const item of applied) {
    const element = itemElement(item, schema);
    keepUntil(element);
    merged.push(merge(current.get(element), item, schema.items));
    const position = pending.indexOf(element);
    if (position !== -1) pending.splice(position, 1);
  }
  keepUntil(undefined);
  return merged;
}

/**
 * `value` without the fields of `dropped` (what an applier had and no longer applies), except where `kept` (what anyone
 * still owns) has something at or below them.
 */
export function prune(value: unknown, schema: Schema | undefined, dropped: FieldSet, kept: FieldSet): unknown {
  const decide = (
    element: string,
    part: unknown,
    partSchema: Schema | undefined,
  ): { keep: boolean; value: unknown } => {
    const gone = dropped.children.get(element);
    if (gone === undefined) return { keep: true, value: part };
    const remaining = kept.children.get(element) ?? emptySet;
    if (isEmpty(remaining) && !protectedElements.has(element)) return { keep: false, value: undefined };
    return { keep: true, value: prune(part, partSchema, gone, remaining) };
  };
  if (Array.isArray(value)) {
    if (schema === undefined || isAtomic(schema, value)) return value;
    return value.flatMap((item) => {
      const decision = decide(itemElement(item, schema), item, schema.items);
      return decision.keep ? [decision.value] : [];
    });
  }
  if (!isObject(value) || isAtomic(schema, value)) return value;
  const pruned: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const decision = decide(`f:${name}`, field, fieldSchema(schema, name));
    if (decision.keep) pruned[name] = decision.value;
  }
  return pruned;
}

/** Always there, though nobody owns it: what it holds is owned field by field. */
const protectedElements = new Set(["f:metadata"]);
