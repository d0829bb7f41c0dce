import { deepStrictEqual } from "node:assert/strict";
import { ANNOTATIONS, LABELS } from "../../../operator/api/names.ts";
import type { RevisionStatus } from "../../../operator/api/status.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { newestRecord } from "../../../operator/plan/record.ts";
import { childKey, childTypes, modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { condition } from "../../integration/objects/fixture.ts";
import type { Fixture, ModelDeployment } from "../../integration/objects/fixture.ts";
import { eventually } from "../../support/eventually.ts";
import type { Site } from "./site.ts";

/** The object once nothing is left to do for it. */
export async function settled(site: Site, name: string, withinMs = 60_000): Promise<ModelDeployment> {
  return eventually(async () => {
    const object = await site.fixture.get<ModelDeployment>(modelDeployments, name);
    if (!isSettled(object)) throw new Error(`not settled: ${JSON.stringify(object.status, null, 1)}\n${site.output}`);
    return object;
  }, withinMs);
}

/** Fails with the difference of the two. */
export function expectSameState(actual: unknown, expected: unknown, what = "the state"): void {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    throw new Error(`${what} differs: ${(error as Error).message}`, { cause: error });
  }
}

/** Whether nothing is left to do for the object: live, everything verified, nothing draining. */
function isSettled(object: ModelDeployment): boolean {
  const { status } = object;
  const record = newestRecord([status?.rollout]);
  return (
    status?.observedGeneration === object.metadata.generation &&
    condition(object, "Ready")?.status === "True" &&
    status?.readyReplicas === status?.replicas &&
    record?.stage === "Completed" &&
    Object.keys(record.draining).length === 0 &&
    record.router?.drainingUntil === undefined &&
    (status?.revisions ?? []).every(({ weight, state }) => weight.verified === weight.desired && state !== "Draining")
  );
}

/**
 * Everything that the operator made of one object, without what differs from run to run though nothing went wrong: times,
 * uids, addresses, the namespace and the digests in which these are.
 */
export async function endState(fixture: Fixture, object: ModelDeployment): Promise<Record<string, unknown>> {
  const { namespace } = fixture.cluster;
  const selector = `${LABELS.modelDeployment}=${object.metadata.name}`;
  const lists = await Promise.all(childTypes.map((type) => fixture.list(type, selector)));
  const children = childTypes.flatMap(({ kind }, index) => (lists[index] ?? []).map((child) => ({ ...child, kind })));
  const entries = children.map((child) => [childKey(child), normalisedChild(child)] as const);
  const state = { ...Object.fromEntries(entries), status: normalisedStatus(object) };
  return JSON.parse(
    JSON.stringify(state).replaceAll(namespace, "NAMESPACE").replaceAll(DIGEST, "DIGEST"),
  ) as object as Record<string, unknown>;
}

/** Fingerprints of configs, and digests of children. */
const DIGEST = /\b[0-9a-f]{16}\b/g;

/** Given by the API server and the controllers, each time anew. */
const GIVEN_FIELDS = ["clusterIP", "clusterIPs", "healthCheckNodePort"];

function normalisedChild(child: KubeObject): object {
  const { metadata, spec = {}, data } = child as KubeObject & { spec?: Record<string, unknown>; data?: object };
  const { [ANNOTATIONS.record]: record, ...annotations } = metadata.annotations ?? {};
  return {
    labels: metadata.labels,
    annotations,
    ...(record !== undefined && { record: normalisedRecord(JSON.parse(record)) }),
    owners: metadata.ownerReferences?.map(({ kind, name, controller }) => ({ kind, name, controller })),
    isGoing: metadata.deletionTimestamp !== undefined,
    spec: Object.fromEntries(Object.entries(spec).filter(([field]) => !GIVEN_FIELDS.includes(field))),
    data,
  };
}

function normalisedStatus({ status = {} }: ModelDeployment): object {
  const conditions = status.conditions?.map(({ lastTransitionTime: _when, ...rest }) => rest);
  const revisions = status.revisions?.map(withoutAutoscaler);
  return { ...status, conditions, revisions, rollout: normalisedRecord(status.rollout) };
}

/** A cluster without metrics says so of each HPA, a minute after it was made. */
function withoutAutoscaler(revision: RevisionStatus): object {
  const { reason, message: _message, ...rest } = revision;
  return reason === "NotScaling" ? rest : revision;
}

function normalisedRecord(copy: unknown): unknown {
  const record = newestRecord([copy]);
  return record === undefined ? "unreadable" : { ...record, stepStarted: "SOME TIME" };
}
