import { toManagedFields } from "../apply/managed-fields.ts";
import { badRequest, conflict, invalid, invalidField, notFound, staleObject } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import {
  copyJson,
  objectAt,
  sameJson,
  stringAt,
  type JsonObject,
  type KubeObject,
  type ObjectMeta,
} from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { validateObject } from "../validation/validate-object.ts";
import { isFinished } from "./finalization.ts";
import { withDefaults, type Proposal } from "./proposal.ts";
import { managedAfterUpdate, withFormerTimes } from "./write-managers.ts";
import { kindSubject, subjectOf, type WriteTarget } from "./write-target.ts";

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
  object["metadata"] = restoredMetadata(target, objectAt(object, "metadata"), live);
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

function restoredMetadata({ resource, subresource }: WriteTarget, given: JsonObject, live: KubeObject): ObjectMeta {
  const { managedFields: _, generation: __, deletionTimestamp: ___, deletionGracePeriodSeconds: ____, ...rest } = given;
  const own = subresource === "status" && resource.isCustom ? live.metadata : (rest as Partial<ObjectMeta>);
  const { name, namespace, uid, creationTimestamp, resourceVersion, generateName } = live.metadata;
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = live.metadata;
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
    ...(generateName !== undefined && { generateName }),
  };
  if (subresource === "status" && !resource.isCustom && resource.plural !== "pods" && resource.plural !== "nodes") {
    delete metadata.labels;
    if (live.metadata.labels) metadata.labels = live.metadata.labels;
  }
  return metadata;
}

function generationChanged(resource: Resource, object: JsonObject, live: KubeObject): boolean {
  const counted = (value: JsonObject): JsonObject => {
    const { metadata: _, status: __, ...rest } = value;
    return resource.hasStatus ? rest : { ...rest, ...(resource.isCustom && { status: value["status"] }) };
  };
  return !sameJson(counted(object), counted(live));
}
