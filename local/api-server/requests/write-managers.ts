import {
  afterUpdate,
  isManager,
  managedFieldsIn,
  managedFieldsOf,
  ownable,
  type Managed,
  type Manager,
} from "../apply/managed-fields.ts";
import { compare } from "../apply/typed-value.ts";
import type { WriteOptions } from "../cluster.ts";
import { objectAt, objectsAt, sameJson, type JsonObject, type KubeObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import type { WriteTarget } from "./write-target.ts";

/** Fields that an endpoint does not take from the client. */
export function ignoredFields(resource: Resource, subresource: string | undefined): readonly (readonly string[])[] {
  if (subresource === "status")
    return resource.isCustom ? [["f:metadata"], ["f:spec"]] : [["f:spec"], ["f:metadata", "f:labels"]];
  return resource.hasStatus && subresource === undefined && resource.plural !== "nodes" ? [["f:status"]] : [];
}

export function managerOf(target: WriteTarget, options: WriteOptions, operation: "Apply" | "Update"): Manager {
  return {
    name: options.fieldManager,
    operation,
    apiVersion: groupVersion(target.resource),
    subresource: target.subresource,
  };
}

/** The creator manages all that it sent and what defaults add. */
export function managedAfterCreate(
  target: WriteTarget,
  object: JsonObject,
  options: WriteOptions,
  now: number,
): Managed[] {
  const changed = compare({ metadata: {} }, object, target.resource.schema);
  const own = ownable(changed.added, ignoredFields(target.resource, target.subresource));
  return afterUpdate([], managerOf(target, options, "Update"), { ...changed, added: own }, now);
}

/** `given` is what the client sent, `object` what it comes to with defaults and the server's own fields. */
export function managedAfterUpdate(
  target: WriteTarget,
  given: JsonObject,
  object: JsonObject,
  live: KubeObject,
  options: WriteOptions,
  now: number,
): Managed[] {
  const former = formerManagers(target, given, live);
  // The real server does not begin to track what is not tracked.
  if (former.length === 0) return [];
  const ignored = ignoredFields(target.resource, target.subresource);
  const { added, modified, removed } = compare(live, object, target.resource.schema);
  const changed = {
    added: ownable(added, ignored),
    modified: ownable(modified, ignored),
    removed: ownable(removed, ignored),
  };
  const after = afterUpdate(former, managerOf(target, options, "Update"), changed, now);
  // The real server gives the entries that scaling makes no time.
  return after.map((entry) => (entry.manager.subresource === "scale" ? { ...entry, time: undefined } : entry));
}

/** The managers before an update: those that the client sends, `[{}]` for none any more; without any, those of before. */
function formerManagers({ subresource }: WriteTarget, given: JsonObject, live: KubeObject): Managed[] {
  const entries = objectsAt(objectAt(given, "metadata"), "managedFields");
  if (subresource !== undefined || entries.length === 0) return managedFieldsOf(live);
  const [only] = entries;
  return entries.length === 1 && sameJson(only, {}) ? [] : managedFieldsIn(entries);
}

/** An apply that changes nothing but owners is no change in time: entries keep the time that they had, new ones have none. */
export function withFormerTimes(managed: readonly Managed[], live: KubeObject): Managed[] {
  const former = managedFieldsOf(live);
  return managed.map((entry) => ({
    ...entry,
    time: former.find((earlier) => isManager(earlier, entry.manager))?.time,
  }));
}
