import { randomUUID } from "node:crypto";
import { toManagedFields } from "../apply/managed-fields.ts";
import { ApiError, alreadyExists, badRequest, invalid, notFound } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import {
  copyJson,
  objectAt,
  stringAt,
  timestamp,
  type JsonObject,
  type KubeObject,
  type ObjectMeta,
} from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { validateObject } from "../validation/validate-object.ts";
import { withDefaults, type Proposal } from "./proposal.ts";
import { managedAfterCreate } from "./write-managers.ts";
import { kindSubject, subjectOf, type WriteTarget } from "./write-target.ts";

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
  const managed = proposal.managed ?? managedAfterCreate(target, object, options, now);
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
