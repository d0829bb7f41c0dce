import { kubectl, withLastApplied } from "../apply/last-applied.ts";
import { serverSideApply, type Applied } from "../apply/server-side-apply.ts";
import { typedErrors } from "../apply/typed-errors.ts";
import {
  ApiError,
  badRequest,
  conflict,
  invalid,
  invalidField,
  notFound,
  staleObject,
  unsupportedMediaType,
} from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import { isObject, objectAt, stringAt, textOf, type JsonObject, type KubeObject } from "../objects.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicMergePatch } from "../patch/strategic-merge-patch.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { createObject } from "./create.ts";
import { decodePatched } from "./decode.ts";
import { updateObject } from "./update.ts";
import { ignoredFields, managerOf } from "./write-managers.ts";
import { kindSubject, subjectOf, type WriteTarget } from "./write-target.ts";

const jsonPatchType = "application/json-patch+json";
const mergePatchType = "application/merge-patch+json";
const strategicMergePatchType = "application/strategic-merge-patch+json";
export const applyPatchType = "application/apply-patch+yaml";

export const patchTypes: ReadonlySet<string> = new Set([
  jsonPatchType,
  mergePatchType,
  strategicMergePatchType,
  applyPatchType,
]);

interface Written {
  object: KubeObject;
  created: boolean;
}

/** Patches an object in any of the four ways; server-side apply creates it when it does not exist. */
export function patchObject(
  cluster: Cluster,
  target: WriteTarget,
  patchType: string,
  body: unknown,
  options: WriteOptions,
): Written {
  if (patchType === applyPatchType) return applyConfiguration(cluster, target, body, options);
  const change = patcher(target.resource, patchType, body);
  const object = updateObject(
    cluster,
    target,
    (live) => {
      const patched = change(live);
      requireSameUid(target, patched, live);
      return { object: decodePatched(target.resource, patched, options) };
    },
    options,
  );
  return { object, created: false };
}

function requireSameUid({ resource, name }: WriteTarget, patched: JsonObject, live: KubeObject): void {
  const uid = objectAt(patched, "metadata")["uid"];
  if (uid === undefined || uid === live.metadata.uid) return;
  throw invalid(kindSubject(resource, name), [invalidField("metadata.uid", uid, "field is immutable")]);
}

/** The function from an object to its patched form that `patchType` and `body` mean. */
export function patcher(resource: Resource, patchType: string, body: unknown): (target: JsonObject) => JsonObject {
  if (patchType === jsonPatchType) return (target) => applyJsonPatch(target, body);
  if (!isObject(body)) throw badRequest("error decoding patch: the patch is no JSON object");
  if (patchType === mergePatchType) return (target) => mergePatch(target, body) as JsonObject;
  if (patchType === strategicMergePatchType && !resource.isCustom)
    return (target) => strategicMergePatch(target, body, resource.schema);
  throw unsupportedMediaType([
    jsonPatchType,
    mergePatchType,
    ...(resource.isCustom ? [] : [strategicMergePatchType]),
    applyPatchType,
  ]);
}

function applyConfiguration(cluster: Cluster, target: WriteTarget, body: unknown, options: WriteOptions): Written {
  const { resource, namespace, name, subresource } = target;
  const live = cluster.storage.get(resource.storageKey, namespace, name);
  const config = appliedConfiguration(target, body);
  if (live === undefined && subresource !== undefined) throw notFound(subjectOf(resource, name));
  checkPreconditions(target, objectAt(config, "metadata"), live);
  const applied = serverSideApply(live, config, {
    schema: resource.schema,
    manager: managerOf(target, options, "Apply"),
    force: options.force,
    ignored: ignoredFields(resource, subresource),
    now: cluster.clock.now(),
  });
  if (live === undefined)
    return { object: createObject(cluster, resource, namespace, withoutVersion(applied), options), created: true };
  const object =
    options.fieldManager === kubectl ? withLastApplied(applied.object, body as JsonObject) : applied.object;
  return { object: updateObject(cluster, target, () => ({ ...applied, object }), options), created: false };
}

function checkPreconditions(
  { resource, name }: WriteTarget,
  { uid, resourceVersion }: JsonObject,
  live: KubeObject | undefined,
): void {
  const subject = subjectOf(resource, name);
  if (live === undefined && uid !== undefined) {
    const because = `uid mismatch: the provided object specified uid ${textOf(uid)}, and no existing object was found`;
    throw conflict(subject, because);
  }
  if (live && resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion)
    throw staleObject(subject);
}

/** An apply that finds nothing creates the object, whichever version it expected. */
function withoutVersion(applied: Applied): Applied {
  const { resourceVersion: _, ...metadata } = objectAt(applied.object, "metadata");
  return { ...applied, object: { ...applied.object, metadata } };
}

/** The body of an apply, checked: of the right kind and name, without managedFields, each field as the schema has it. */
function appliedConfiguration({ resource, namespace, name }: WriteTarget, body: unknown): JsonObject {
  if (!isObject(body)) throw badRequest("error decoding YAML: the applied configuration is no object");
  const { apiVersion = "", kind = "" } = body;
  if (apiVersion !== groupVersion(resource) || kind !== resource.kind) {
    const shown = textOf(apiVersion).includes("/") ? textOf(apiVersion) : `/${textOf(apiVersion)}`;
    throw badRequest(`invalid object type: ${shown}, Kind=${textOf(kind)}`);
  }
  const metadata = objectAt(body, "metadata");
  checkMetadata(metadata, namespace, name);
  const errors = typedErrors(body, resource.schema);
  if (errors.length > 0) {
    const given = `${stringAt(metadata, "namespace") ?? ""}/${stringAt(metadata, "name") ?? ""}`;
    const where = `${given}; ${resource.group}/${resource.version}, Kind=${resource.kind}`;
    const listed = errors.length === 1 ? errors[0] : ["errors:", ...errors].join("\n  ");
    throw new ApiError(500, "", `failed to create typed patch object (${where}): ${listed}`);
  }
  return { ...body, metadata: { ...metadata, name, ...(namespace !== undefined && { namespace }) } };
}

function checkMetadata(metadata: JsonObject, namespace: string | undefined, name: string): void {
  if (metadata["managedFields"] !== undefined) throw badRequest("metadata.managedFields must be nil");
  if (!metadata["name"])
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (metadata["name"] !== name)
    throw badRequest(
      `the name of the object (${textOf(metadata["name"])}) does not match the name on the URL (${name})`,
    );
  if (metadata["namespace"] !== undefined && metadata["namespace"] !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}
