import type { ServerResponse } from "node:http";
import { ApiError } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import type { StorageEvent } from "../storage/storage.ts";
import { flagOf, integerOf } from "./query.ts";
import { selection, type Predicate } from "./selectors.ts";

/** How much unsent data a slow watcher may pile up before it is cut off (it then resumes or lists again). */
const maximumBacklog = 4 * 1024 * 1024;
/** How often a quiet watch that wants bookmarks gets one. */
const bookmarkEveryMs = 30_000;
/** The longest watch when the client asks for none; the real server takes 30 to 60 minutes. */
const defaultTimeoutSeconds = 30 * 60;

/** Longer ones would end at once. */
const longestTimerMs = 2 ** 31 - 1;

const streamHeaders = { "content-type": "application/json", "cache-control": "no-cache, private" };

interface WatchRequest {
  resource: Resource;
  namespace: string | undefined;
  query: URLSearchParams;
  /** Turns an object into what the client asked for (a table, its metadata). `first` is true for the first event. */
  represent: (object: KubeObject, first: boolean) => JsonObject;
}

/** Streams changes to `response` until the client, the timeout or `stop` ends it. */
export function streamWatch(cluster: Cluster, request: WatchRequest, response: ServerResponse): { stop: () => void } {
  try {
    return stream(cluster, request, response);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 410) throw error;
    // Clients expect in the stream, not as the answer's status, that a version is too old.
    response.writeHead(200, streamHeaders);
    response.end(`${JSON.stringify({ type: "ERROR", object: error.toStatus() })}\n`);
    return { stop: () => undefined };
  }
}

function stream(cluster: Cluster, request: WatchRequest, response: ServerResponse): { stop: () => void } {
  const { resource, namespace, query, represent } = request;
  const matches = inNamespace(namespace, selection(resource, query));
  const wantsBookmarks = flagOf(query, "allowWatchBookmarks");
  const { since, initial } = startOf(cluster, request, matches);
  let first = true;

  const send = (type: string, object: JsonObject): void => {
    if (response.writableEnded) return;
    response.write(`${JSON.stringify({ type, object })}\n`);
    if (response.writableLength > maximumBacklog) stop();
  };
  const sendObject = (type: string, object: KubeObject): void => {
    send(type, represent(object, first));
    first = false;
  };
  const bookmark = (annotations?: JsonObject): void => {
    const resourceVersion = String(cluster.storage.resourceVersion);
    send("BOOKMARK", {
      kind: resource.kind,
      apiVersion: groupVersion(resource),
      metadata: { resourceVersion, ...(annotations && { annotations }) },
    });
  };
  const deliver = (event: StorageEvent): void => {
    const seen = visibleChange(event, matches);
    if (seen) sendObject(seen, seen === "DELETED" ? lastState(event) : event.object);
  };

  const { missed, stop: unsubscribe } = cluster.storage.watch(resource.storageKey, since, deliver);
  const timeoutSeconds = integerOf(query, "timeoutSeconds") || defaultTimeoutSeconds;
  const timeout = setTimeout(() => stop(), Math.min(timeoutSeconds * 1000, longestTimerMs));
  const bookmarks = wantsBookmarks ? setInterval(bookmark, bookmarkEveryMs) : undefined;
  function stop(): void {
    unsubscribe();
    clearTimeout(timeout);
    clearInterval(bookmarks);
    response.end();
  }
  response.on("close", stop);
  response.writeHead(200, streamHeaders);
  response.flushHeaders();
  for (const object of initial) sendObject("ADDED", object);
  for (const event of missed) deliver(event);
  if (flagOf(query, "sendInitialEvents") && wantsBookmarks) bookmark({ "k8s.io/initial-events-end": "true" });
  return { stop };
}

/** A watch without a version, from version 0, or one that asks for initial events begins with what there is now. */
function startOf(
  cluster: Cluster,
  { resource, namespace, query }: WatchRequest,
  matches: Predicate,
): { since: number; initial: KubeObject[] } {
  const version = query.get("resourceVersion") ?? "";
  const fromNow = version === "" || version === "0" || flagOf(query, "sendInitialEvents");
  if (!fromNow) return { since: Number(version), initial: [] };
  const withoutState = query.has("sendInitialEvents") && !flagOf(query, "sendInitialEvents");
  const initial = withoutState ? [] : cluster.storage.list(resource.storageKey, namespace).filter(matches);
  return { since: cluster.storage.resourceVersion, initial };
}

/** What a watcher saw last of an object that is gone or left its selection, at the version of that. */
function lastState({ object, previous }: StorageEvent): KubeObject {
  const last = previous ?? object;
  return { ...last, metadata: { ...last.metadata, resourceVersion: object.metadata.resourceVersion } };
}

function inNamespace(namespace: string | undefined, matches: Predicate): Predicate {
  return (object) => (namespace === undefined || object.metadata.namespace === namespace) && matches(object);
}

/** What a change is to a watcher that sees only a selection: an object that leaves it is deleted, one that enters is added. */
function visibleChange(event: StorageEvent, matches: Predicate): string | undefined {
  const before = event.previous !== undefined && matches(event.previous);
  const after = event.type !== "DELETED" && matches(event.object);
  if (after) return before ? "MODIFIED" : "ADDED";
  return before ? "DELETED" : undefined;
}
