import { badRequest, expired } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { selection } from "./selectors.ts";

interface Page {
  items: KubeObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

/** A page of objects. Pages of one list show the present, not the past: a continue token only says where to go on. */
export function listPage(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  query: URLSearchParams,
): Page {
  const matches = selection(resource, query);
  const all = cluster.storage.list(resource.storageKey, namespace).filter(matches);
  const limit = Number(query.get("limit") ?? 0);
  const start = query.get("continue");
  const from = start ? afterToken(all, start) : 0;
  const end = limit > 0 ? from + limit : all.length;
  const items = all.slice(from, end);
  const last = items.at(-1);
  const resourceVersion = String(cluster.storage.resourceVersion);
  if (end >= all.length || last === undefined) return { items, metadata: { resourceVersion } };
  const hasSelector = query.has("labelSelector") || query.has("fieldSelector");
  const token = Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", start: positionOf(last) })).toString("base64url");
  return {
    items,
    metadata: { resourceVersion, continue: token, ...(!hasSelector && { remainingItemCount: all.length - end }) },
  };
}

export function listObject(resource: Resource, page: Page): JsonObject {
  const apiVersion = groupVersion(resource);
  const items = resource.isCustom ? page.items : page.items.map(withoutType);
  const metadata = resource.isCustom ? { continue: "", ...page.metadata } : page.metadata;
  return { kind: resource.listKind, apiVersion, metadata, items };
}

/** Items of built-in lists do not repeat what kind they are. */
function withoutType(object: KubeObject): JsonObject {
  const { apiVersion: _, kind: __, ...rest } = object;
  return rest;
}

function positionOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function afterToken(all: readonly KubeObject[], token: string): number {
  let start: unknown;
  try {
    start = (JSON.parse(Buffer.from(token, "base64url").toString()) as { start?: unknown }).start;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw badRequest("invalid continue token: continue key is not valid: it was not made by this server");
    throw error;
  }
  if (typeof start !== "string") throw expired("The provided continue parameter is too old");
  const position = all.findIndex((object) => positionOf(object) > start);
  return position === -1 ? all.length : position;
}
