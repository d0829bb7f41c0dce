import { randomUUID } from "node:crypto";
import {
  afterUpdate,
  isManager,
  managedFieldsIn,
  managedFieldsOf,
  ownable,
  toManagedFields,
  type Managed,
  type Manager,
} from "../apply/managed-fields.ts";
import { compare } from "../apply/typed-value.ts";
import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  invalid,
  invalidField,
  notFound,
  staleObject,
  type Subject,
} from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import {
  copyJson,
  objectAt,
  objectsAt,
  sameJson,
  stringAt,
  timestamp,
  type JsonObject,
  type KubeObject,
  type ObjectMeta,
} from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { withSchemaDefaults } from "../schema/defaults.ts";
import { omitEmpty } from "../schema/omit-empty.ts";
import { validateObject } from "../validation/validate-object.ts";
import { isFinished } from "./finalization.ts";

/** Which object of which endpoint is written. */
export interface WriteTarget {
  resource: Resource;
  namespace: string | undefined;
  name: string;
  subresource: "status" | "scale" | undefined;
}

/** How an error names the object. */
export function subjectOf(resource: Resource, name: string): Subject {
  return { group: resource.group, kind: resource.plural, name };
}

function kindSubject(resource: Resource, name: string): Subject {
  return { group: resource.group, kind: resource.kind, name };
}

/** An object as it would be after a write, before the server's own fields and checks. `managed` is set by server-side apply. */
interface Proposal {
  object: JsonObject;
  managed?: Managed[];
}

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

/** Creates an object. `proposal.object` is decoded; its name may still have to be generated. */
export function createObject(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  proposal: Proposal,
  options: WriteOptions,
): KubeObject {
  const now = cluster.clock.now();
  const object = withDefaults(resource, copyJson(proposal.object));
  const metadata = newMetadata(resource, objectAt(object, "metadata"), namespace, now);
  object["metadata"] = metadata;
  requireNamespace(cluster, resource, metadata.name, namespace);

  const target: WriteTarget = { resource, namespace, name: metadata.name, subresource: undefined };
  const manager = managerOf(target, options, "Update");
  const changed = compare({ metadata: {} }, object, resource.schema);
  const own = ownable(changed.added, ignoredFields(resource, undefined));
  const managed = proposal.managed ?? afterUpdate([], manager, { ...changed, added: own }, now);
  if (resource.hasStatus && resource.plural !== "nodes") delete object["status"];
  resource.behaviour.prepareForCreate?.(object);
  if (managed.length > 0) metadata.managedFields = toManagedFields(managed);

  const errors = validateObject(resource, object, undefined);
  if (errors.length > 0) throw invalid(kindSubject(resource, metadata.name), errors);
  const present = cluster.storage.get(resource.storageKey, namespace, metadata.name);
  if (present)
    throw alreadyExists(subjectOf(resource, metadata.name), present.metadata.deletionTimestamp !== undefined);
  const created = object as KubeObject;
  return options.dryRun ? unstored(created) : cluster.storage.put(resource.storageKey, created);
}

/** What a dry run would have created has no version. */
function unstored(object: KubeObject): KubeObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata: metadata as ObjectMeta };
}

function newMetadata(resource: Resource, given: JsonObject, namespace: string | undefined, now: number): ObjectMeta {
  const givenNamespace = stringAt(given, "namespace");
  if (givenNamespace !== undefined && givenNamespace !== "" && givenNamespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  const prefix = stringAt(given, "generateName");
  const name = stringAt(given, "name") || (prefix ? prefix + randomSuffix() : "");
  if (stringAt(given, "resourceVersion"))
    throw new ApiError(500, "", "resourceVersion should not be set on objects to be created");
  const { deletionTimestamp: _, deletionGracePeriodSeconds: __, managedFields: ___, selfLink: ____, ...kept } = given;
  return {
    ...kept,
    name,
    ...(namespace !== undefined && { namespace }),
    uid: randomUUID(),
    resourceVersion: "",
    ...(resource.countsGenerations && { generation: 1 }),
    creationTimestamp: timestamp(now),
  };
}

/** The alphabet of generated names: no vowels, and nothing that is mistaken for something else. */
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";

function randomSuffix(): string {
  return Array.from({ length: 5 }, () => suffixAlphabet[Math.floor(Math.random() * suffixAlphabet.length)]).join("");
}

function requireNamespace(cluster: Cluster, resource: Resource, name: string, namespace: string | undefined): void {
  if (!resource.namespaced || namespace === undefined) return;
  const found = cluster.storage.get("namespaces", undefined, namespace);
  if (found === undefined) throw notFound({ group: "", kind: "namespaces", name: namespace });
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const subject = subjectOf(resource, name);
  const qualified = subject.group ? `${subject.kind}.${subject.group}` : subject.kind;
  throw new ApiError(403, "Forbidden", `${qualified} "${name}" is forbidden: ${why}`, {
    name,
    ...(subject.group && { group: subject.group }),
    kind: subject.kind,
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}

/**
 * Updates an object: `propose` says what it shall become. A write that changes nothing leaves the resourceVersion alone;
 * one that takes the last finalizer off a deleted object removes it.
 */
export function updateObject(
  cluster: Cluster,
  target: WriteTarget,
  propose: (live: KubeObject) => Proposal,
  options: WriteOptions,
): KubeObject {
  const { resource, namespace, name } = target;
  const live = cluster.storage.get(resource.storageKey, namespace, name);
  if (live === undefined) throw notFound(subjectOf(resource, name));
  const proposal = propose(live);
  const object = withDefaults(resource, copyJson(proposal.object));
  checkIdentity(target, live, objectAt(object, "metadata"));
  restoreServerFields(target, object, live);

  const now = cluster.clock.now();
  const managed = proposal.managed ?? managedAfterUpdate(target, proposal.object, object, live, options, now);
  resource.behaviour.prepareForUpdate?.(object, live);
  const metadata = object["metadata"] as ObjectMeta;
  // An apply is a change by what it asks for, even where defaults then bring back what was there.
  const contentChanged = !sameContent(proposal.managed ? proposal.object : object, live);
  const entries = toManagedFields(contentChanged || !proposal.managed ? managed : withFormerTimes(managed, live));
  if (entries.length > 0) metadata.managedFields = entries;
  else delete metadata.managedFields;
  if (resource.countsGenerations && generationChanged(resource, object, live))
    metadata.generation = (live.metadata.generation ?? 0) + 1;

  const errors = validateObject(resource, object, live);
  if (errors.length > 0) throw invalid(kindSubject(resource, name), errors);
  const updated = object as KubeObject;
  if (sameJson(withoutTimes(updated), withoutTimes(live))) return live;
  if (options.dryRun) return updated;
  if (isFinished(updated)) {
    cluster.storage.remove(resource.storageKey, updated);
    return updated; // at the version that it had: nothing of a later one was stored
  }
  return cluster.storage.put(resource.storageKey, updated);
}

/** Whether an update leaves everything but managedFields as it was. */
function sameContent(object: JsonObject, live: KubeObject): boolean {
  const content = (value: JsonObject): JsonObject => ({
    ...value,
    metadata: { ...objectAt(value, "metadata"), managedFields: undefined },
  });
  return sameJson(content(object), content(live));
}

/** The object without when its managers last wrote: a new time alone is no change. */
function withoutTimes(object: KubeObject): JsonObject {
  const managedFields = object.metadata.managedFields?.map((entry) => ({ ...entry, time: undefined }));
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

/** An apply that changes nothing but owners is no change in time: entries keep the time that they had, new ones have none. */
function withFormerTimes(managed: readonly Managed[], live: KubeObject): Managed[] {
  const former = managedFieldsOf(live);
  return managed.map((entry) => ({
    ...entry,
    time: former.find((earlier) => isManager(earlier, entry.manager))?.time,
  }));
}

function managedAfterUpdate(
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

function checkIdentity({ resource, name }: WriteTarget, live: KubeObject, metadata: JsonObject): void {
  const givenName = stringAt(metadata, "name");
  if (givenName !== undefined && givenName !== name) {
    throw badRequest(`the name of the object (${givenName}) does not match the name on the URL (${name})`);
  }
  const givenNamespace = stringAt(metadata, "namespace");
  if (givenNamespace && givenNamespace !== live.metadata.namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  const uid = stringAt(metadata, "uid");
  if (uid !== undefined && uid !== live.metadata.uid) {
    throw conflict(
      subjectOf(resource, name),
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    );
  }
  const version = stringAt(metadata, "resourceVersion");
  if (version !== undefined && version !== "" && version !== live.metadata.resourceVersion)
    throw staleObject(subjectOf(resource, name));
}

/** A PUT of a custom resource must say which version it replaces. */
export function requireResourceVersion(resource: Resource, name: string, object: JsonObject): void {
  if (resource.unconditionalUpdate || stringAt(objectAt(object, "metadata"), "resourceVersion")) return;
  throw invalid(subjectOf(resource, name), [
    invalidField("metadata.resourceVersion", 0, "must be specified for an update"),
  ]);
}

/** Puts back what the endpoint does not let a client change. */
function restoreServerFields(target: WriteTarget, object: JsonObject, live: KubeObject): void {
  const { resource, subresource } = target;
  const given = objectAt(object, "metadata");
  const { managedFields: _, generation: __, ...rest } = given;
  const {
    name,
    namespace,
    uid,
    creationTimestamp,
    resourceVersion,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
  } = live.metadata;
  const own = subresource === "status" && resource.isCustom ? live.metadata : (rest as Partial<ObjectMeta>);
  const metadata: ObjectMeta = {
    ...own,
    name,
    ...(namespace !== undefined && { namespace }),
    uid,
    creationTimestamp,
    resourceVersion,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
    ...(live.metadata.generateName !== undefined && { generateName: live.metadata.generateName }),
  };
  if (deletionTimestamp === undefined) {
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
  }
  if (subresource === "status" && !resource.isCustom && resource.plural !== "pods" && resource.plural !== "nodes") {
    delete metadata.labels;
    if (live.metadata.labels) metadata.labels = live.metadata.labels;
  }
  object["metadata"] = metadata;
  object["apiVersion"] = live.apiVersion;
  object["kind"] = live.kind;
  if (subresource === "status") {
    for (const field of Object.keys(object))
      if (!["status", "metadata", "apiVersion", "kind"].includes(field)) delete object[field];
    for (const [field, value] of Object.entries(live))
      if (field !== "status" && field !== "metadata") object[field] = value;
  } else if (resource.hasStatus && resource.plural !== "nodes") {
    if (live["status"] === undefined) delete object["status"];
    else object["status"] = live["status"];
  }
}

function generationChanged(resource: Resource, object: JsonObject, live: KubeObject): boolean {
  const counted = (value: JsonObject): JsonObject => {
    const { metadata: _, status: __, ...rest } = value;
    return resource.hasStatus ? rest : { ...rest, ...(resource.isCustom && { status: value["status"] }) };
  };
  return !sameJson(counted(object), counted(live));
}

/** The object with every default of its kind. */
function withDefaults(resource: Resource, object: JsonObject): JsonObject {
  if (resource.isCustom) return withSchemaDefaults(object, resource.schema);
  const trimmed = omitEmpty(object, resource.schema) as JsonObject;
  resource.behaviour.applyDefaults?.(trimmed);
  return trimmed;
}
