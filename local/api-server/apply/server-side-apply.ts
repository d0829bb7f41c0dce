import { ApiError } from "../api-error.ts";
import { timestamp, type JsonObject, type KubeObject } from "../objects.ts";
import type { Schema } from "../schema/schema.ts";
import { difference, emptySet, intersection, paths, union } from "./field-set.ts";
import { kubectl, unchangedSinceClientSideApply } from "./last-applied.ts";
import {
  isManager,
  loseFields,
  managedFieldsOf,
  ownable,
  ownedByAny,
  withEntry,
  type Managed,
  type Manager,
} from "./managed-fields.ts";
import { compare, fieldsOf, merge, prune } from "./typed-value.ts";

export interface Applied {
  object: JsonObject;
  managed: Managed[];
}

interface ApplyOptions {
  schema: Schema;
  manager: Manager;
  force: boolean;
  /** Fields that this endpoint ignores, as path elements. */
  ignored: readonly (readonly string[])[];
  now: number;
}

/**
 * Server-side apply: `config` laid over `live`; fields that this manager applied before and no longer does are removed,
 * unless someone else owns them. Throws 409 with every conflict unless forced.
 */
export function serverSideApply(live: KubeObject | undefined, config: JsonObject, options: ApplyOptions): Applied {
  const { schema, manager, force, ignored, now } = options;
  const managed = live ? trackedManagers(live, options) : [];
  const previous = managed.find((entry) => isManager(entry, manager));
  const others = managed.filter((entry) => entry !== previous);

  const fields = ownable(fieldsOf(config, schema), ignored);
  const merged = merge(live, config, schema);
  const changed = compare(live ?? {}, merged, schema);
  const overwritten = union(changed.modified, changed.added);
  if (!force) {
    const allowed = live && manager.name === kubectl ? unchangedSinceClientSideApply(live, schema) : emptySet;
    refuseConflicts(others, (entry) => difference(intersection(entry.fields, overwritten), allowed));
  }

  const remaining = loseFields(others, overwritten, changed.removed);
  const kept = union(ownedByAny(remaining), fields);
  const object = (previous ? prune(merged, schema, previous.fields, kept) : merged) as JsonObject;
  return { object, managed: withEntry(remaining, { manager, fields, time: timestamp(now) }) };
}

/** Who manages what of an object; all of one that nobody is known to manage belongs to who wrote it before. */
function trackedManagers(live: KubeObject, { schema, manager, now }: ApplyOptions): Managed[] {
  const managed = managedFieldsOf(live);
  if (managed.length > 0) return managed;
  const before: Manager = { ...manager, name: "before-first-apply", operation: "Update", subresource: undefined };
  const fields = ownable(compare({}, live, schema).added, []);
  return withEntry([], { manager: before, fields, time: timestamp(now) });
}

function refuseConflicts(others: readonly Managed[], conflicting: (entry: Managed) => Managed["fields"]): void {
  const conflicts = others
    .map((entry) => ({ who: describeManager(entry.manager), fields: paths(conflicting(entry)) }))
    .filter(({ fields }) => fields.length > 0)
    .sort((a, b) => (a.who < b.who ? -1 : 1));
  const count = conflicts.reduce((sum, { fields }) => sum + fields.length, 0);
  if (count === 0) return;
  const [only] = conflicts;
  const message =
    count === 1 && only
      ? `Apply failed with 1 conflict: conflict with ${only.who}: ${only.fields[0] ?? ""}`
      : `Apply failed with ${count} conflicts: ${conflicts
          .map(({ who, fields }) => `conflicts with ${who}:\n${fields.map((field) => `- ${field}`).join("\n")}`)
          .join("\n")}`;
  const causes = conflicts.flatMap(({ who, fields }) =>
    fields.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field })),
  );
  throw new ApiError(409, "Conflict", message, { causes });
}

function describeManager({ name, operation, apiVersion, subresource }: Manager): string {
  const where = subresource ? ` with subresource "${subresource}"` : "";
  return `"${name}"${where}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}
