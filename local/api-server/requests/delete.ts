import { badRequest, notFound, conflict, type Subject } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import {
  isObject,
  listAt,
  numberAt,
  objectAt,
  stringAt,
  timestamp,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { isFinished } from "./finalization.ts";
import { subjectOf } from "./write.ts";

/** What a client asks of a deletion, from the body (DeleteOptions) or the query. */
export interface DeleteOptions {
  gracePeriodSeconds: number | undefined;
  uid: string | undefined;
  resourceVersion: string | undefined;
  propagation: "Background" | "Foreground" | "Orphan";
  dryRun: boolean;
}

export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isObject(body) ? body : {};
  const preconditions = objectAt(options, "preconditions");
  const queryGrace = query.get("gracePeriodSeconds");
  const orphan = options["orphanDependents"] === true || query.get("orphanDependents") === "true";
  const propagation =
    stringAt(options, "propagationPolicy") ?? query.get("propagationPolicy") ?? (orphan ? "Orphan" : "Background");
  if (propagation !== "Background" && propagation !== "Foreground" && propagation !== "Orphan") {
    throw badRequest(`DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "${propagation}"`);
  }
  return {
    gracePeriodSeconds:
      numberAt(options, "gracePeriodSeconds") ?? (queryGrace === null ? undefined : Number(queryGrace)),
    uid: stringAt(preconditions, "uid"),
    resourceVersion: stringAt(preconditions, "resourceVersion"),
    propagation,
    dryRun: listAt(options, "dryRun").includes("All") || query.get("dryRun") === "All",
  };
}

interface Deletion {
  object: KubeObject;
  /** False while a finalizer or a grace period holds the object back. */
  removed: boolean;
}

/** Deletes an object: at once, or by marking it when a finalizer or a grace period holds it back. */
export function deleteObject(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions,
): Deletion {
  const live = cluster.storage.get(resource.storageKey, namespace, name);
  if (live === undefined) throw notFound(subjectOf(resource, name));
  checkPreconditions(
    { group: resource.group, kind: resource.isCustom ? resource.plural : resource.kind, name },
    live,
    options,
  );
  const marked = markedForDeletion(resource, live, options, cluster.clock.now());
  const removed = isFinished(marked);
  if (options.dryRun || marked === live) return { object: marked, removed };
  const object = removed
    ? cluster.storage.remove(resource.storageKey, marked)
    : cluster.storage.put(resource.storageKey, marked);
  return { object, removed };
}

function checkPreconditions(subject: Subject, live: KubeObject, { uid, resourceVersion }: DeleteOptions): void {
  if (uid !== undefined && uid !== live.metadata.uid) {
    const records = `(${uid}) does not match the UID in record (${live.metadata.uid})`;
    throw conflict(
      subject,
      `the UID in the precondition ${records}. The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    const records = `(${resourceVersion}) does not match the ResourceVersion in record (${live.metadata.resourceVersion})`;
    throw conflict(subject, `the ResourceVersion in the precondition ${records}. The object might have been modified`);
  }
}

const propagationFinalizers = { Background: undefined, Foreground: "foregroundDeletion", Orphan: "orphan" } as const;

function markedForDeletion(resource: Resource, live: KubeObject, options: DeleteOptions, now: number): KubeObject {
  const grace = gracePeriod(resource, live, options);
  const isNamespace = resource.plural === "namespaces" && resource.group === "";
  const deleting = live.metadata.deletionTimestamp !== undefined;
  const wanted = propagationFinalizers[options.propagation];
  const own = (live.metadata.finalizers ?? []).filter(
    (finalizer) => finalizer !== "foregroundDeletion" && finalizer !== "orphan",
  );
  const kept = [...new Set([...own, ...(resource.behaviour.deletionFinalizers ?? [])])];
  const finalizers = deleting ? (live.metadata.finalizers ?? []) : [...kept, ...(wanted ? [wanted] : [])];
  if (deleting && grace >= (live.metadata.deletionGracePeriodSeconds ?? 0)) return live;
  const { finalizers: _, ...metadata } = live.metadata;
  const object: KubeObject = {
    ...live,
    metadata: {
      ...metadata,
      ...(finalizers.length > 0 && { finalizers }),
      deletionTimestamp: timestamp(now + grace * 1000),
      ...(!isNamespace && { deletionGracePeriodSeconds: grace }),
      ...(metadata.generation !== undefined && !deleting && { generation: metadata.generation + 1 }),
    },
  };
  return isNamespace ? terminating(object) : object;
}

/** Only pods that a kubelet runs are given time: it deletes them for good when their containers ended. */
function gracePeriod(resource: Resource, live: KubeObject, options: DeleteOptions): number {
  if (resource.plural !== "pods" || resource.group !== "") return 0;
  const phase = stringAt(objectAt(live, "status"), "phase");
  const isRunning =
    stringAt(objectAt(live, "spec"), "nodeName") !== undefined && phase !== "Succeeded" && phase !== "Failed";
  if (!isRunning) return 0;
  return Math.max(
    0,
    options.gracePeriodSeconds ?? numberAt(objectAt(live, "spec"), "terminationGracePeriodSeconds") ?? 30,
  );
}

function terminating(namespace: KubeObject): KubeObject {
  return { ...namespace, status: { ...objectAt(namespace, "status"), phase: "Terminating" } };
}

/** The answer to a deletion that is done. */
export function deletedStatus(resource: Resource, object: KubeObject): JsonObject {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: object.metadata.name,
      ...(resource.group && { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid,
    },
  };
}
