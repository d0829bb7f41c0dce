import type { ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";
import type { Plan, PlannedRevision } from "../plan/plan-rollout.ts";
import { autoscalerFailure } from "./autoscaler-failure.ts";
import { digestDrift } from "./digest-drift.ts";
import type { Facts } from "./facts.ts";
import { worstFailure } from "./pod-failure.ts";
import type { PodFailure } from "./pod-failure.ts";

/** One revision as it stands: what it should do, what it does, and why not. */
export function revisionStatus(
  revision: PlannedRevision,
  plan: Plan,
  facts: Facts,
  previous: ModelDeploymentStatus,
  now: number,
): RevisionStatus {
  const { id, version, source, artifact, image, desiredWeight, appliedWeight } = revision;
  const { wanted, ready } = facts.revisions.get(id) ?? { wanted: revision.floor, ready: 0 };
  const before = previous.revisions?.find((other) => other.revision === id);
  const failure =
    ready >= wanted
      ? (misfit(id, plan, facts) ?? autoscalerFailure(facts.autoscalers.get(id) ?? [], before?.message, now))
      : revisionFailure(id, facts);
  // A restarted operator has to ask again, and pods that go take what they said with them: a revision's bytes stay.
  const sha256 = facts.loaded?.get(id)?.sha256 ?? before?.sha256;
  const verified = verifiedWeight(revision, plan);
  return {
    revision: id,
    version,
    state: stateOf(revision, plan, ready, wanted, failure),
    ...(failure && { reason: failure.reason, message: failure.message }),
    ...(source && { uri: source.uri }),
    ...(artifact !== undefined && { artifact }),
    ...(sha256 !== undefined && { sha256 }),
    image,
    replicas: wanted,
    readyReplicas: ready,
    weight: { desired: desiredWeight, applied: appliedWeight, ...(verified !== undefined && { verified }) },
  };
}

/** Why a revision lacks pods: what its pods say, else what keeps the Deployment from making them. */
export function revisionFailure(id: string, facts: Facts): PodFailure | undefined {
  const failure = driftOf(id, facts) ?? worstFailure(facts.pods.get(id) ?? [], facts.complaints);
  const blocked = facts.deploymentConditions
    .get(id)
    ?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  if (blocked === undefined || failure?.permanent) return failure;
  return {
    reason: "QuotaExceeded",
    message: `pods cannot be created: ${blocked.message ?? blocked.reason ?? "no reason given"}`,
    permanent: false,
  };
}

/** All pods may be ready, and still not serve the same model, or one that takes other rows than what serves now. */
export function misfit(id: string, { mismatches }: Plan, facts: Facts): PodFailure | undefined {
  const mismatch = mismatches.find(({ revision }) => revision === id);
  return (
    driftOf(id, facts) ?? (mismatch && { reason: "SignatureMismatch", message: mismatch.message, permanent: true })
  );
}

function driftOf(id: string, { pods, models }: Facts): PodFailure | undefined {
  return digestDrift(pods.get(id) ?? [], models);
}

function stateOf(
  { id, appliedWeight, desiredWeight }: PlannedRevision,
  { record }: Plan,
  ready: number,
  wanted: number,
  failure: PodFailure | undefined,
): RevisionStatus["state"] {
  if (record.draining[id] !== undefined && appliedWeight === 0 && desiredWeight === 0) return "Draining";
  if (ready === 0) return failure?.permanent ? "Failed" : "Starting";
  if (appliedWeight === 0) return "Ready";
  if (failure?.reason === "DigestDrift") return "Degraded";
  return ready < wanted && failure !== undefined && failure.reason !== "Starting" ? "Degraded" : "Serving";
}

/**
 * Routers say what they apply. A Service is what the API server says; kept connections to what it selected before
 * end when that has drained, and until then nobody knows the share.
 */
function verifiedWeight({ appliedWeight }: PlannedRevision, { front, verified, record }: Plan): number | undefined {
  const isConverging = front.via === "Service" && Object.keys(record.draining).length > 0;
  return verified && !isConverging ? appliedWeight : undefined;
}
