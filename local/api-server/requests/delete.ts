import { conflict, invalid, invalidField, notFound, unsupportedValue, type Subject } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import {
  isObject,
  listAt,
  numberAt,
  objectAt,
  sameJson,
  stringAt,
  timestamp,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { isFinished } from "./finalization.ts";
import { flagOf, integerOf } from "./query.ts";
import { dryRunErrors } from "./write-options.ts";
import { subjectOf } from "./write-target.ts";

/** What a client asks of a deletion, from the body (DeleteOptions) or the query. */
export interface DeleteOptions {
  gracePeriodSeconds: number | undefined;
  uid: string | undefined;
  resourceVersion: string | undefined;
  /** Undefined leaves it to a policy that was asked for before, or else to the background. */
  propagation: Propagation | undefined;
  dryRun: boolean;
}

type Propagation = "Background" | "Foreground" | "Orphan";
const propagations = ["Foreground", "Background", "Orphan"] as const;

export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isObject(body) ? body : {};
  const preconditions = objectAt(options, "preconditions");
  const orphan = options["orphanDependents"] === true || flagOf(query, "orphanDependents");
  const given = stringAt(options, "propagationPolicy") ?? query.get("propagationPolicy") ?? undefined;
  const propagation = propagations.find((policy) => policy === given);
  const stages = [...listAt(options, "dryRun"), ...query.getAll("dryRun")];
  const errors = dryRunErrors(stages);
  if (given !== undefined && orphan)
    errors.push(
      invalidField("propagationPolicy", given, "orphanDependents and deletionPropagation cannot be both set"),
    );
  else if (given !== undefined && propagation === undefined)
    errors.push(unsupportedValue("propagationPolicy", given, [...propagations, "nil"]));
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, errors);
  return {
    gracePeriodSeconds: numberAt(options, "gracePeriodSeconds") ?? integerOf(query, "gracePeriodSeconds"),
    uid: stringAt(preconditions, "uid"),
    resourceVersion: stringAt(preconditions, "resourceVersion"),
    propagation: propagation ?? (orphan ? "Orphan" : undefined),
    dryRun: stages.length > 0,
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
  if (!removed) return { object: cluster.storage.put(resource.storageKey, marked), removed };
  const { metadata } = cluster.storage.remove(resource.storageKey, marked);
  const last = isPods(resource) ? marked : live; // only pods show how they were deleted
  return { object: { ...last, metadata: { ...last.metadata, resourceVersion: metadata.resourceVersion } }, removed };
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
  const finalizers = finalizersOnDeletion(resource, live, options);
  const unchanged = sameJson(finalizers, live.metadata.finalizers ?? []);
  if (deleting && unchanged && grace >= (live.metadata.deletionGracePeriodSeconds ?? 0)) return live;
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

/** A policy of now replaces one of before; a finalizer of the server's own comes with the first deletion only. */
function finalizersOnDeletion(resource: Resource, live: KubeObject, { propagation }: DeleteOptions): string[] {
  const present = live.metadata.finalizers ?? [];
  const own = present.filter((finalizer) => finalizer !== "foregroundDeletion" && finalizer !== "orphan");
  const kept = propagation === undefined ? present : own;
  const added = live.metadata.deletionTimestamp === undefined ? (resource.behaviour.deletionFinalizers ?? []) : [];
  const wanted = propagation && propagationFinalizers[propagation];
  return [...new Set([...kept, ...added, ...(wanted ? [wanted] : [])])];
}

function isPods({ group, plural }: Resource): boolean {
  return group === "" && plural === "pods";
}

/** Only pods that a kubelet runs are given time: it deletes them for good when their containers ended. */
function gracePeriod(resource: Resource, live: KubeObject, options: DeleteOptions): number {
  if (!isPods(resource)) return 0;
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
