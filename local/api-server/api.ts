import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, methodNotAllowed, noSuchResource, notAcceptable, notFound } from "./api-error.ts";
import type { Cluster, WriteOptions } from "./cluster.ts";
import { decodeBody, mediaType, readBody } from "./http/body.ts";
import { acceptsJson } from "./http/accept.ts";
import { sendJson, sendText } from "./http/responses.ts";
import { listAt, objectAt, stringAt, type JsonObject, type KubeObject } from "./objects.ts";
import { partialMetadata, table, type IncludeObject } from "./tables/table.ts";
import { groupVersion, type Resource } from "./resources/resource.ts";
import { answerReview } from "./requests/access-review.ts";
import { decodeObject } from "./requests/decode.ts";
import { deletedStatus, deleteObject, deleteOptions } from "./requests/delete.ts";
import { checkListOptions, checkVersion } from "./requests/list-options.ts";
import { listObject, listPage } from "./requests/list.ts";
import { patchObject } from "./requests/patch.ts";
import { streamPodLogs } from "./requests/pod-logs.ts";
import { refusePodStream } from "./requests/pod-streams.ts";
import { bindPod, evictPod } from "./requests/pods.ts";
import type { Target } from "./requests/request-info.ts";
import { readScale, writeScale } from "./requests/scale.ts";
import { streamWatch } from "./requests/watch.ts";
import { writeOptions } from "./requests/write-options.ts";
import { createObject } from "./requests/create.ts";
import { requireResourceVersion, updateObject } from "./requests/update.ts";
import { subjectOf, type WriteTarget } from "./requests/write-target.ts";
import { reviewGroup } from "./discovery/discovery.ts";

/** One request for a resource, with what its handlers need. */
interface Call {
  cluster: Cluster;
  target: Target;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
}

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
      const isWatch = query.get("watch") === "true" || query.get("watch") === "1";
      checkListOptions(query, isWatch);
      if (isWatch) return watch(call, resource);
      const page = listPage(cluster, resource, namespace, query);
      const answer = representList(call, resource, page.items, page.metadata) ?? listObject(resource, page);
      return sendJson(response, 200, answer);
    }
    case "POST": {
      if (resource.namespaced && namespace === undefined) throw noSuchResource();
      const options = optionsOf(call);
      const object = decodeObject(resource, await body(call), options);
      return answerObject(
        call,
        resource,
        201,
        createObject(cluster, resource, namespace, { object }, options),
        options,
      );
    }
    case "DELETE": {
      if (!resource.deletesCollections) throw methodNotAllowed();
      const options = deleteOptions(await body(call), query);
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
      return answerObject(call, resource, 200, existing(cluster, target), undefined);
    case "PUT": {
      const options = optionsOf(call);
      const object = decodeObject(resource, await body(call), options);
      if (resource.createOnUpdate && !cluster.storage.get(resource.storageKey, namespace, name)) {
        return answerObject(
          call,
          resource,
          201,
          createObject(cluster, resource, namespace, { object }, options),
          options,
        );
      }
      existing(cluster, target);
      requireResourceVersion(resource, name, object);
      return answerObject(
        call,
        resource,
        200,
        updateObject(cluster, target, () => ({ object }), options),
        options,
      );
    }
    case "PATCH":
      return patch(call, target);
    case "DELETE": {
      const { object, removed } = deleteObject(
        cluster,
        resource,
        namespace,
        name,
        deleteOptions(await body(call), query),
      );
      return sendJson(
        response,
        200,
        removed && !resource.answersDeletionsWithObject ? deletedStatus(resource, object) : object,
      );
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveStatus(call: Call, target: WriteTarget): Promise<void> {
  const { cluster, request } = call;
  const { resource, name } = target;
  switch (request.method ?? "GET") {
    case "GET":
      return answerObject(call, resource, 200, existing(cluster, target), undefined);
    case "PUT": {
      const options = optionsOf(call);
      const object = decodeObject(resource, await body(call), options);
      requireResourceVersion(resource, name, object);
      return answerObject(
        call,
        resource,
        200,
        updateObject(cluster, target, () => ({ object }), options),
        options,
      );
    }
    case "PATCH":
      return patch(call, target);
    default:
      throw methodNotAllowed();
  }
}

async function patch(call: Call, target: WriteTarget): Promise<void> {
  const options = optionsOf(call);
  const { object, created } = patchObject(
    call.cluster,
    target,
    mediaType(call.request),
    await patchBody(call),
    options,
  );
  return answerObject(call, target.resource, created ? 201 : 200, object, options);
}

async function serveScale(call: Call, target: WriteTarget): Promise<void> {
  const { cluster, request, response } = call;
  const paths = target.resource.scale;
  if (paths === undefined) throw noSuchResource();
  switch (request.method ?? "GET") {
    case "GET":
      return sendJson(response, 200, readScale(cluster, target, paths));
    case "PUT":
      return sendJson(response, 200, writeScale(cluster, target, paths, await body(call), undefined, optionsOf(call)));
    case "PATCH":
      return sendJson(
        response,
        200,
        writeScale(cluster, target, paths, await patchBody(call), mediaType(request), optionsOf(call)),
      );
    default:
      throw methodNotAllowed();
  }
}

/** `PUT namespaces/x/finalize` replaces spec.finalizers: the last step of a namespace's deletion. */
async function serveFinalize(call: Call, target: WriteTarget): Promise<void> {
  if (target.resource.plural !== "namespaces" || call.request.method !== "PUT") throw methodNotAllowed();
  const options = optionsOf(call);
  const finalizers = listAt(objectAt(decodeObject(target.resource, await body(call), options), "spec"), "finalizers");
  const object = updateObject(
    call.cluster,
    target,
    (live) => ({ object: { ...live, spec: { ...objectAt(live, "spec"), finalizers } } }),
    options,
  );
  return answerObject(call, target.resource, 200, object, options);
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
    bindPod(cluster, target, stringAt(objectAt(await body(call), "target"), "name") ?? "", optionsOf(call));
    return sendJson(response, 201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
  }
  if (subresource === "eviction" && request.method === "POST") {
    evictPod(cluster, target, deleteOptions(objectAt(await body(call), "deleteOptions"), query));
    return sendJson(response, 201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
  }
  throw noSuchResource();
}

async function serveReview(call: Call): Promise<void> {
  if (call.request.method !== "POST") throw methodNotAllowed();
  return sendJson(call.response, 201, answerReview(call.target.plural, await body(call)));
}

function watch(call: Call, resource: Resource): void {
  const represent = (object: KubeObject, first: boolean): JsonObject =>
    representList(call, resource, [object], { resourceVersion: object.metadata.resourceVersion }, first) ?? object;
  const { namespace } = call.target;
  streamWatch(call.cluster, { resource, namespace, query: call.query, represent }, call.response);
}

function existing(cluster: Cluster, { resource, namespace, name }: WriteTarget): KubeObject {
  const object = cluster.storage.get(resource.storageKey, namespace, name);
  if (object === undefined) throw notFound(subjectOf(resource, name));
  return object;
}

async function body(call: Call): Promise<unknown> {
  return decode(call, mediaType(call.request));
}

async function decode({ cluster, request }: Call, type: string): Promise<unknown> {
  return decodeBody(
    await readBody(request),
    type,
    (apiVersion, kind) => cluster.registry.findByKind(apiVersion, kind)?.schema,
  );
}

const patchTypes = new Set([
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
]);

async function patchBody(call: Call): Promise<unknown> {
  const type = mediaType(call.request);
  if (!patchTypes.has(type)) throw new ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  return decode(call, type);
}

function optionsOf({ query, request }: Call): WriteOptions {
  const isApply = mediaType(request) === "application/apply-patch+yaml";
  return writeOptions(request.method ?? "", query, request.headers["user-agent"] ?? "unknown", isApply);
}

function answerObject(
  call: Call,
  resource: Resource,
  code: number,
  object: KubeObject,
  options: WriteOptions | undefined,
): void {
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  const answer = representList(call, resource, [object], metadata) ?? { ...object, apiVersion: groupVersion(resource) };
  const warnings = (options?.warnings ?? []).map((warning) => `299 - ${JSON.stringify(warning)}`);
  sendJson(call.response, code, answer, warnings);
}

/** Objects in the form that the Accept header asks for, or undefined when it asks for the objects themselves. */
function representList(
  { cluster, query, request, target }: Call,
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  withDefinitions = true,
): JsonObject | undefined {
  const accept = request.headers.accept ?? "";
  if (!accept.includes("as=")) return undefined;
  if (accept.includes("as=Table")) {
    const include = (query.get("includeObject") ?? "Metadata") as IncludeObject;
    return table(objects, { columns: resource.columns, metadata, include, withDefinitions, now: cluster.clock.now() });
  }
  if (accept.includes("as=PartialObjectMetadataList")) {
    return {
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items: objects.map(partialMetadata),
    };
  }
  const [only] = objects;
  return accept.includes("as=PartialObjectMetadata") && only && (target.name !== undefined || query.has("watch"))
    ? partialMetadata(only)
    : undefined;
}
