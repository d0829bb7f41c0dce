import { methodNotAllowed, noSuchResource, notAcceptable, notFound } from "./api-error.ts";
import type { Cluster } from "./cluster.ts";
import { reviewGroup } from "./discovery/discovery.ts";
import { acceptsJson } from "./http/accept.ts";
import { sendJson, sendText } from "./http/responses.ts";
import { listAt, objectAt, stringAt, type JsonObject, type KubeObject } from "./objects.ts";
import type { Resource } from "./resources/resource.ts";
import { answerReview } from "./requests/access-review.ts";
import { answerObject, answerSuccess, transformed } from "./requests/answer.ts";
import { bodyOf, patchOf, writeOptionsOf, type Call } from "./requests/call.ts";
import { createObject } from "./requests/create.ts";
import { decodeObject } from "./requests/decode.ts";
import { deletedStatus, deleteObject, deleteOptions } from "./requests/delete.ts";
import { checkListOptions, checkVersion } from "./requests/list-options.ts";
import { listObject, listPage } from "./requests/list.ts";
import { patchObject } from "./requests/patch.ts";
import { streamPodLogs } from "./requests/pod-logs.ts";
import { refusePodStream } from "./requests/pod-streams.ts";
import { bindPod, evictPod } from "./requests/pods.ts";
import { flagOf } from "./requests/query.ts";
import { readScale, writeScale } from "./requests/scale.ts";
import { requireResourceVersion, updateObject } from "./requests/update.ts";
import { streamWatch } from "./requests/watch.ts";
import { subjectOf, type WriteTarget } from "./requests/write-target.ts";

/** Serves one request for a resource. Throws ApiError for whatever it refuses. */
export async function serveResource(call: Call): Promise<void> {
  const { cluster, target } = call;
  if (target.group === reviewGroup) return serveReview(call);
  const resource = cluster.registry.find(target.group, target.version, target.plural);
  if (resource === undefined && !cluster.registry.all().some(({ group }) => group === target.group)) {
    return sendText(call.response, 404, "404 page not found\n");
  }
  if (resource === undefined || (target.namespace !== undefined && !resource.namespaced)) throw noSuchResource();
  if (!acceptsJson(call.request.headers.accept)) throw notAcceptable();
  if (target.name === undefined) return serveCollection(call, resource);
  if (resource.namespaced && target.namespace === undefined) throw noSuchResource();
  const named = { resource, namespace: target.namespace, name: target.name };
  switch (target.subresource) {
    case undefined:
      return serveObject(call, { ...named, subresource: undefined });
    case "status":
      if (!resource.hasStatus) throw noSuchResource();
      return serveStatus(call, { ...named, subresource: "status" });
    case "scale":
      return serveScale(call, { ...named, subresource: "scale" });
    case "finalize":
      return serveFinalize(call, { ...named, subresource: undefined });
    default:
      return servePodSubresource(call, named, target.subresource);
  }
}

async function serveCollection(call: Call, resource: Resource): Promise<void> {
  const { cluster, target, query, request, response } = call;
  const { namespace } = target;
  switch (request.method ?? "GET") {
    case "GET":
    case "HEAD": {
      const isWatch = flagOf(query, "watch");
      checkListOptions(query, isWatch);
      if (isWatch) return watch(call, resource);
      const page = listPage(cluster, resource, namespace, query);
      const answer = transformed(call, resource, page.items, page.metadata) ?? listObject(resource, page);
      return sendJson(response, 200, answer);
    }
    case "POST": {
      if (resource.namespaced && namespace === undefined) throw noSuchResource();
      const options = writeOptionsOf(call);
      const object = decodeObject(resource, await bodyOf(call), options);
      const created = createObject(cluster, resource, namespace, { object }, options);
      return answerObject(call, resource, 201, created, options.warnings);
    }
    case "DELETE": {
      if (!resource.deletesCollections) throw methodNotAllowed();
      const options = deleteOptions(await bodyOf(call), query);
      const page = listPage(cluster, resource, namespace, query);
      for (const { metadata } of page.items)
        deleteObject(cluster, resource, metadata.namespace, metadata.name, options);
      return sendJson(response, 200, listObject(resource, page));
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveObject(call: Call, target: WriteTarget): Promise<void> {
  const { cluster, query, request, response } = call;
  const { resource, namespace, name } = target;
  switch (request.method ?? "GET") {
    case "GET":
    case "HEAD":
      checkVersion(query, cluster.storage.resourceVersion);
      return answerObject(call, resource, 200, existing(cluster, target));
    case "PUT":
      return replace(call, target, { mayCreate: resource.createOnUpdate });
    case "PATCH":
      return patch(call, target);
    case "DELETE": {
      const options = deleteOptions(await bodyOf(call), query);
      const { object, removed } = deleteObject(cluster, resource, namespace, name, options);
      const withObject = !removed || resource.answersDeletionsWithObject;
      return sendJson(response, 200, withObject ? object : deletedStatus(resource, object));
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveStatus(call: Call, target: WriteTarget): Promise<void> {
  switch (call.request.method ?? "GET") {
    case "GET":
      return answerObject(call, target.resource, 200, existing(call.cluster, target));
    case "PUT":
      return replace(call, target, { mayCreate: false });
    case "PATCH":
      return patch(call, target);
    default:
      throw methodNotAllowed();
  }
}

async function replace(call: Call, target: WriteTarget, { mayCreate }: { mayCreate: boolean }): Promise<void> {
  const { cluster } = call;
  const { resource, namespace, name } = target;
  const options = writeOptionsOf(call);
  const object = decodeObject(resource, await bodyOf(call), options);
  if (mayCreate && !cluster.storage.get(resource.storageKey, namespace, name)) {
    const created = createObject(cluster, resource, namespace, { object }, options);
    return answerObject(call, resource, 201, created, options.warnings);
  }
  existing(cluster, target);
  requireResourceVersion(resource, name, object);
  const replaced = updateObject(cluster, target, () => ({ object }), options);
  answerObject(call, resource, 200, replaced, options.warnings);
}

async function patch(call: Call, target: WriteTarget): Promise<void> {
  const options = writeOptionsOf(call);
  const { type, body } = await patchOf(call);
  const { object, created } = patchObject(call.cluster, target, type, body, options);
  answerObject(call, target.resource, created ? 201 : 200, object, options.warnings);
}

async function serveScale(call: Call, target: WriteTarget): Promise<void> {
  const { cluster, request, response } = call;
  const paths = target.resource.scale;
  if (paths === undefined) throw noSuchResource();
  switch (request.method ?? "GET") {
    case "GET":
      return sendJson(response, 200, readScale(cluster, target, paths));
    case "PUT": {
      const scale = await bodyOf(call);
      return sendJson(response, 200, writeScale(cluster, target, paths, scale, undefined, writeOptionsOf(call)));
    }
    case "PATCH": {
      const { type, body } = await patchOf(call);
      return sendJson(response, 200, writeScale(cluster, target, paths, body, type, writeOptionsOf(call)));
    }
    default:
      throw methodNotAllowed();
  }
}

/** `PUT namespaces/x/finalize` replaces spec.finalizers: the last step of a namespace's deletion. */
async function serveFinalize(call: Call, target: WriteTarget): Promise<void> {
  if (target.resource.plural !== "namespaces" || call.request.method !== "PUT") throw methodNotAllowed();
  const options = writeOptionsOf(call);
  const finalizers = listAt(objectAt(decodeObject(target.resource, await bodyOf(call), options), "spec"), "finalizers");
  const object = updateObject(
    call.cluster,
    target,
    (live) => ({ object: { ...live, spec: { ...objectAt(live, "spec"), finalizers } } }),
    options,
  );
  return answerObject(call, target.resource, 200, object, options.warnings);
}

async function servePodSubresource(
  call: Call,
  named: Omit<WriteTarget, "subresource">,
  subresource: string,
): Promise<void> {
  const { cluster, query, request, response } = call;
  if (named.resource.plural !== "pods" || named.resource.group !== "") throw noSuchResource();
  const target: WriteTarget = { ...named, subresource: undefined };
  if (subresource === "log" && request.method === "GET")
    return streamPodLogs(cluster, existing(cluster, target), query, response);
  const refusal = refusePodStream(existing(cluster, target), subresource);
  if (refusal) throw refusal;
  if (subresource === "binding" && request.method === "POST") {
    bindPod(cluster, target, stringAt(objectAt(await bodyOf(call), "target"), "name") ?? "", writeOptionsOf(call));
    return answerSuccess(call, 201);
  }
  if (subresource === "eviction" && request.method === "POST") {
    evictPod(cluster, target, deleteOptions(objectAt(await bodyOf(call), "deleteOptions"), query));
    return answerSuccess(call, 201);
  }
  throw noSuchResource();
}

async function serveReview(call: Call): Promise<void> {
  if (call.request.method !== "POST") throw methodNotAllowed();
  return sendJson(call.response, 201, answerReview(call.target.plural, await bodyOf(call)));
}

function watch(call: Call, resource: Resource): void {
  const represent = (object: KubeObject, first: boolean): JsonObject =>
    transformed(call, resource, [object], { resourceVersion: object.metadata.resourceVersion }, first) ?? object;
  const { namespace } = call.target;
  streamWatch(call.cluster, { resource, namespace, query: call.query, represent }, call.response);
}

function existing(cluster: Cluster, { resource, namespace, name }: WriteTarget): KubeObject {
  const object = cluster.storage.get(resource.storageKey, namespace, name);
  if (object === undefined) throw notFound(subjectOf(resource, name));
  return object;
}
