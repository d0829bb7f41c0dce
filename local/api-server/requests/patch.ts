import { serverSideApply } from "../apply/server-side-apply.ts";
import { ApiError, badRequest, notFound, staleObject, unsupportedMediaType } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import { isObject, objectAt, stringAt, textOf, type JsonObject, type KubeObject } from "../objects.ts";
import { applyJsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicMergePatch } from "../patch/strategic-merge-patch.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { pruneUnknownFields } from "../schema/unknown-fields.ts";
import { checkFields } from "./decode.ts";
import { createObject, ignoredFields, managerOf, subjectOf, updateObject, type WriteTarget } from "./write.ts";

const jsonPatchType = "application/json-patch+json";
const mergePatchType = "application/merge-patch+json";
const strategicMergePatchType = "application/strategic-merge-patch+json";
const applyPatchType = "application/apply-patch+yaml";

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
    (live) => ({ object: checkFields(target.resource, change(live), options) }),
    options,
  );
  return { object, created: false };
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
  const config = appliedConfiguration(target, body);
  const live = cluster.storage.get(resource.storageKey, namespace, name);
  if (live === undefined && subresource !== undefined) throw notFound(subjectOf(resource, name));
  const version = stringAt(objectAt(config, "metadata"), "resourceVersion");
  if (version !== undefined && version !== live?.metadata.resourceVersion) throw staleObject(subjectOf(resource, name));
  const applied = serverSideApply(live, config, {
    schema: resource.schema,
    manager: managerOf(target, options, "Apply"),
    force: options.force,
    ignored: ignoredFields(resource, subresource),
    now: cluster.clock.now(),
  });
  if (live === undefined)
    return { object: createObject(cluster, resource, namespace, applied, options), created: true };
  return { object: updateObject(cluster, target, () => applied, options), created: false };
}

/** The body of an apply, checked: of the right kind and name, without managedFields and without fields that do not exist. */
function appliedConfiguration({ resource, namespace, name }: WriteTarget, body: unknown): JsonObject {
  if (!isObject(body)) throw badRequest("error decoding YAML: the applied configuration is no object");
  const { apiVersion, kind } = body;
  if (apiVersion === undefined || kind === undefined) {
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body).slice(0, 200)}'`);
  }
  if (apiVersion !== groupVersion(resource) || kind !== resource.kind) {
    throw badRequest(
      `invalid object type: ${textOf(apiVersion).includes("/") ? "" : "/"}${textOf(apiVersion)}, Kind=${textOf(kind)}`,
    );
  }
  const metadata = objectAt(body, "metadata");
  if (metadata["managedFields"] !== undefined) throw badRequest("metadata.managedFields must be nil");
  if (metadata["name"] !== undefined && metadata["name"] !== name) {
    throw badRequest(
      `the name of the object (${textOf(metadata["name"])}) does not match the name on the URL (${name})`,
    );
  }
  const { value, unknown } = pruneUnknownFields(body, resource.schema);
  const [first] = unknown;
  if (first !== undefined) {
    const given = `${stringAt(metadata, "namespace") ?? ""}/${stringAt(metadata, "name") ?? ""}`;
    const where = `${given}; ${resource.group}/${resource.version}, Kind=${resource.kind}`;
    throw new ApiError(
      500,
      "",
      `failed to create typed patch object (${where}): .${first}: field not declared in schema`,
    );
  }
  return { ...value, metadata: { ...metadata, name, ...(namespace !== undefined && { namespace }) } };
}
