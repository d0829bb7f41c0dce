import { isObject, type JsonObject } from "../objects.ts";

/**
 * A set of field paths as a tree. Path elements are written as in `fieldsV1`: `f:name` for a field, `k:{...}` for a list item
 * by its keys, `v:...` for a set's item by its value. `member` says whether the node's own path is in the set.
 */
export interface FieldSet {
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

const noChildren: ReadonlyMap<string, FieldSet> = new Map();

export const emptySet: FieldSet = { member: false, children: noChildren };
export const leaf: FieldSet = { member: true, children: noChildren };

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

/** A set without dangling nodes: children that hold nothing are left out. */
export function fieldSet(member: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  const kept = new Map<string, FieldSet>();
  for (const [element, child] of children) if (!isEmpty(child)) kept.set(element, child);
  if (kept.size === 0) return member ? leaf : emptySet;
  return { member, children: kept };
}

export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right || isEmpty(right)) return left;
  if (isEmpty(left)) return right;
  const children = new Map(left.children);
  for (const [element, child] of right.children) children.set(element, union(children.get(element) ?? emptySet, child));
  return { member: left.member || right.member, children };
}

export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  const shared: [string, FieldSet][] = [];
  for (const [element, child] of left.children) {
    const other = right.children.get(element);
    if (other) shared.push([element, intersection(child, other)]);
  }
  return fieldSet(left.member && right.member, shared);
}

/** What is in `left` and not in `right`, path by path. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  if (isEmpty(right)) return left;
  const remaining: [string, FieldSet][] = [];
  for (const [element, child] of left.children) {
    remaining.push([element, difference(child, right.children.get(element) ?? emptySet)]);
  }
  return fieldSet(left.member && !right.member, remaining);
}

/** What is in `left` and neither in `right` nor below one of its members: a removed field takes what is inside with it. */
export function recursiveDifference(left: FieldSet, right: FieldSet): FieldSet {
  if (right.member) return emptySet;
  const remaining: [string, FieldSet][] = [];
  for (const [element, child] of left.children) {
    remaining.push([element, recursiveDifference(child, right.children.get(element) ?? emptySet)]);
  }
  return fieldSet(left.member, remaining);
}

export function sameSet(left: FieldSet, right: FieldSet): boolean {
  if (left.member !== right.member || left.children.size !== right.children.size) return false;
  for (const [element, child] of left.children) {
    const other = right.children.get(element);
    if (other === undefined || !sameSet(child, other)) return false;
  }
  return true;
}

/** The set without the paths at or below `path`. */
export function without(set: FieldSet, path: readonly string[]): FieldSet {
  const [element, ...rest] = path;
  if (element === undefined) return emptySet;
  const child = set.children.get(element);
  if (child === undefined) return set;
  return fieldSet(
    set.member,
    [...set.children].map(([key, value]) => [key, key === element ? without(child, rest) : value] as const),
  );
}

/** The members' paths in the notation of conflict messages (`.spec.containers[name="web"].image`): of each level, members first. */
export function paths(set: FieldSet, prefix = ""): string[] {
  const children = [...set.children].sort(([a], [b]) => (a < b ? -1 : 1));
  const members = children.filter(([, child]) => child.member).map(([element]) => prefix + readable(element));
  return [...members, ...children.flatMap(([element, child]) => paths(child, prefix + readable(element)))];
}

/** A path element in that notation. */
export function readable(element: string): string {
  const text = element.slice(2);
  if (element.startsWith("f:")) return `.${text}`;
  if (element.startsWith("v:")) return `[=${text}]`;
  const keys = JSON.parse(text) as JsonObject;
  return `[${Object.entries(keys)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(",")}]`;
}

/** The set as `fieldsV1` writes it: `.` marks a node with children that is a member itself. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const fields: JsonObject = {};
  if (set.member && set.children.size > 0) fields["."] = {};
  for (const [element, child] of [...set.children].sort(([a], [b]) => (a < b ? -1 : 1)))
    fields[element] = toFieldsV1(child);
  return fields;
}

export function fromFieldsV1(fields: unknown, root = true): FieldSet {
  if (!isObject(fields)) return emptySet;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of Object.entries(fields))
    if (element !== ".") children.set(element, fromFieldsV1(child, false));
  const member = "." in fields || (children.size === 0 && !root);
  return children.size === 0 ? (member ? leaf : emptySet) : { member, children };
}
