import { expired, versionTooLarge } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { inconsistentToken, positionOf, readToken, writeToken } from "./continue-token.ts";
import { integerOf } from "./query.ts";
import { selection } from "./selectors.ts";

interface Page {
  items: KubeObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

/** A page of objects; all pages of one list show the state that the first did. */
export function listPage(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  query: URLSearchParams,
): Page {
  const { version, objects, start } = stateOf(cluster, resource, namespace, query);
  const all = objects.filter(selection(resource, query));
  // From version 0 the real server answers from its cache, which has no pages.
  const limit = query.get("resourceVersion") === "0" ? 0 : (integerOf(query, "limit") ?? 0);
  const from = start === undefined ? 0 : all.filter((object) => positionOf(object, namespace) < start).length;
  const end = limit > 0 ? from + limit : all.length;
  const items = all.slice(from, end);
  const last = items.at(-1);
  const resourceVersion = String(version);
  if (end >= all.length || last === undefined) return { items, metadata: { resourceVersion } };
  const hasSelector = query.has("labelSelector") || query.has("fieldSelector");
  return {
    items,
    metadata: {
      resourceVersion,
      continue: writeToken(version, positionOf(last, namespace)),
      ...(!hasSelector && { remainingItemCount: all.length - end }),
    },
  };
}

interface State {
  version: number;
  objects: KubeObject[];
  /** Where the page begins. */
  start?: string;
}

/** The state of the cluster that a list shows: that of the page before, of the version that it names, or the present. */
function stateOf(cluster: Cluster, resource: Resource, namespace: string | undefined, query: URLSearchParams): State {
  const { storage } = cluster;
  const token = readToken(query.get("continue") ?? "");
  const asked = token?.version ?? Number(query.get("resourceVersion") ?? 0);
  if (asked > storage.resourceVersion) throw versionTooLarge(asked, storage.resourceVersion);
  const start = token && { start: token.start };
  const isExact = token ? token.version !== undefined : asked > 0 && wantsExactly(query);
  if (!isExact)
    return { version: storage.resourceVersion, objects: storage.list(resource.storageKey, namespace), ...start };
  const objects = storage.listAt(resource.storageKey, namespace, asked);
  if (objects) return { version: asked, objects, ...start };
  throw token
    ? expired(tokenExpired, inconsistentToken(token.start))
    : expired("The resourceVersion for the provided list is too old.");
}

/** Pages are of one state, so who asks for a page of a version means exactly that. */
function wantsExactly(query: URLSearchParams): boolean {
  const match = query.get("resourceVersionMatch") ?? "";
  return match === "Exact" || (match === "" && (integerOf(query, "limit") ?? 0) > 0);
}

const tokenExpired =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the " +
  "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with " +
  "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the " +
  "first chunk was returned and now may show up in the list.";

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
