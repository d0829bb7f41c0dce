import { timestamp, type KubeObject, type ManagedFieldsEntry } from "../objects.ts";
import {
  difference,
  emptySet,
  fieldSet,
  fromFieldsV1,
  isEmpty,
  recursiveDifference,
  sameSet,
  toFieldsV1,
  union,
  without,
  type FieldSet,
} from "./field-set.ts";
import type { Comparison } from "./typed-value.ts";

/** Who writes: one entry of managedFields. */
export interface Manager {
  name: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  subresource: string | undefined;
}

export interface Managed {
  manager: Manager;
  fields: FieldSet;
  time: string | undefined;
}

/** Fields that the server owns and that therefore nobody manages. */
const serverOwned = [
  ["f:apiVersion"],
  ["f:kind"],
  ["f:metadata", "f:name"],
  ["f:metadata", "f:namespace"],
  ["f:metadata", "f:creationTimestamp"],
  ["f:metadata", "f:deletionTimestamp"],
  ["f:metadata", "f:deletionGracePeriodSeconds"],
  ["f:metadata", "f:selfLink"],
  ["f:metadata", "f:uid"],
  ["f:metadata", "f:clusterName"],
  ["f:metadata", "f:generation"],
  ["f:metadata", "f:managedFields"],
  ["f:metadata", "f:resourceVersion"],
];

/** The set without what the server owns, and without what this endpoint ignores (status on the main one, spec on /status). */
export function ownable(fields: FieldSet, ignored: readonly (readonly string[])[]): FieldSet {
  let owned = fieldSet(false, fields.children);
  for (const path of [...serverOwned, ...ignored]) owned = without(owned, path);
  const metadata = owned.children.get("f:metadata");
  return metadata?.member && metadata.children.size === 0 ? without(owned, ["f:metadata"]) : owned;
}

export function isManager(entry: Managed, manager: Manager): boolean {
  return (
    entry.manager.name === manager.name &&
    entry.manager.operation === manager.operation &&
    entry.manager.subresource === manager.subresource &&
    entry.manager.apiVersion === manager.apiVersion
  );
}

export function managedFieldsOf(object: KubeObject | undefined): Managed[] {
  return managedFieldsIn(object?.metadata.managedFields ?? []);
}

/** The managers of `metadata.managedFields`, as a client may have written it. */
export function managedFieldsIn(entries: readonly Partial<ManagedFieldsEntry>[]): Managed[] {
  return entries.map((entry) => ({
    manager: {
      name: entry.manager ?? "",
      operation: entry.operation ?? "Update",
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource,
    },
    fields: fromFieldsV1(entry.fieldsV1),
    time: entry.time,
  }));
}

/** Everything that `managed` own together. */
export function ownedByAny(managed: readonly Managed[]): FieldSet {
  return managed.reduce((all, entry) => union(all, entry.fields), emptySet);
}

/** An update by `manager`: it takes what it changed; others lose that, and what no longer exists. */
export function afterUpdate(
  managed: readonly Managed[],
  manager: Manager,
  changed: Comparison,
  now: number,
): Managed[] {
  const taken = union(changed.added, changed.modified);
  const previous = managed.find((entry) => isManager(entry, manager));
  const others = loseFields(
    managed.filter((entry) => entry !== previous),
    taken,
    changed.removed,
  );
  const fields = recursiveDifference(union(previous?.fields ?? emptySet, taken), changed.removed);
  return withEntry(others, { manager, fields, time: isEmpty(taken) ? previous?.time : timestamp(now) });
}

/** What is left to `managed` when another writer took `taken` and `removed` is gone. */
export function loseFields(managed: readonly Managed[], taken: FieldSet, removed: FieldSet): Managed[] {
  return managed.map((entry) => {
    const fields = recursiveDifference(difference(entry.fields, taken), removed);
    return sameSet(fields, entry.fields) ? entry : { ...entry, fields };
  });
}

/** The list with the writer's new entry; one that owns nothing is left out. */
export function withEntry(others: readonly Managed[], own: Managed): Managed[] {
  return [...others, own].filter((entry) => !isEmpty(entry.fields));
}

/** Appliers first, then by time, then by name, as the real server orders them. */
export function toManagedFields(managed: readonly Managed[]): ManagedFieldsEntry[] {
  const rank = (entry: Managed): string =>
    [
      entry.manager.operation === "Apply" ? 0 : 1,
      entry.time ?? "",
      entry.manager.name,
      entry.manager.subresource ?? "",
    ].join("\0");
  return managed
    .map((entry) => ({ entry, key: rank(entry) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ entry: { manager, fields, time } }) => ({
      manager: manager.name,
      operation: manager.operation,
      apiVersion: manager.apiVersion,
      ...(time && { time }),
      fieldsType: "FieldsV1",
      fieldsV1: toFieldsV1(fields),
      ...(manager.subresource && { subresource: manager.subresource }),
    }));
}
