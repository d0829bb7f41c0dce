import { badRequest, invalid, invalidField, notFound } from "../api-error.ts";
import type { Cluster, WriteOptions } from "../cluster.ts";
import { copyJson, isObject, numberAt, objectAt, stringAt, type JsonObject, type KubeObject } from "../objects.ts";
import type { ScalePaths } from "../resources/resource.ts";
import { selectorText } from "../selector.ts";
import { readJsonPath } from "../tables/json-path.ts";
import { patcher } from "./patch.ts";
import { updateObject } from "./update.ts";
import { subjectOf, type WriteTarget } from "./write-target.ts";

/** An object seen as its autoscaling/v1 Scale. */
export function readScale(cluster: Cluster, { resource, namespace, name }: WriteTarget, paths: ScalePaths): JsonObject {
  const object = cluster.storage.get(resource.storageKey, namespace, name);
  if (object === undefined) throw notFound(subjectOf(resource, name));
  return scaleOf(object, paths);
}

/** Changes the replicas of an object through its Scale; `body` is the new Scale, or a patch of it when `patchType` is given. */
export function writeScale(
  cluster: Cluster,
  target: WriteTarget,
  paths: ScalePaths,
  body: unknown,
  patchType: string | undefined,
  options: WriteOptions,
): JsonObject {
  const updated = updateObject(
    cluster,
    target,
    (live) => {
      const scale = patchType ? patcher(target.resource, patchType, body)(scaleOf(live, paths)) : body;
      if (!isObject(scale)) throw badRequest("the object provided is unrecognized (must be of type Scale)");
      const resourceVersion = stringAt(objectAt(scale, "metadata"), "resourceVersion");
      const replicas = numberAt(objectAt(scale, "spec"), "replicas") ?? 0;
      if (replicas < 0 && !target.resource.isCustom)
        throw invalid({ group: "autoscaling", kind: "Scale", name: target.name }, [
          invalidField("spec.replicas", replicas, "must be greater than or equal to 0"),
        ]);
      return {
        object: withReplicas(live, paths.specReplicasPath, replicas, resourceVersion),
      };
    },
    options,
  );
  return scaleOf(updated, paths);
}

function scaleOf(object: KubeObject, paths: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : readJsonPath(object, paths.labelSelectorPath);
  const text = typeof selector === "string" ? selector : isObject(selector) ? selectorText(selector) : undefined;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace && { namespace }), uid, resourceVersion, creationTimestamp },
    spec: replicasAt(object, paths.specReplicasPath),
    status: {
      replicas: readJsonPath(object, paths.statusReplicasPath) ?? 0,
      ...(text !== undefined && { selector: text }),
    },
  };
}

function replicasAt(object: KubeObject, path: string): JsonObject {
  const replicas = readJsonPath(object, path);
  return replicas === undefined ? {} : { replicas };
}

function withReplicas(
  live: KubeObject,
  path: string,
  replicas: number,
  resourceVersion: string | undefined,
): JsonObject {
  const object: JsonObject = copyJson(live);
  const fields = path.split(".").filter((field) => field !== "");
  const last = fields.pop() ?? "replicas";
  let parent = object;
  for (const field of fields) parent = parent[field] = { ...objectAt(parent, field) };
  parent[last] = replicas;
  object["metadata"] = { ...live.metadata, ...(resourceVersion && { resourceVersion }) };
  return object;
}
