import type { ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";

export interface TransitionEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** The one that it is about, if it is about one. */
  readonly revision?: string;
}

/** What people should be told of a change of status; nothing when nothing changed but counts. */
export function transitionEvents(before: ModelDeploymentStatus, after: ModelDeploymentStatus): TransitionEvent[] {
  const revisionsBefore = new Map((before.revisions ?? []).map((revision) => [revision.revision, revision]));
  const events = [
    ...(after.revisions ?? []).flatMap((revision) => revisionEvents(revisionsBefore.get(revision.revision), revision)),
    ...goneEvents(before, after),
    ...splitEvents(before, after),
    ...conditionEvents(before, after),
  ];
  // A revision that fails is told of once, be it also why the object is stuck.
  const told = events.filter((event, index) => events.findIndex((other) => saysTheSame(other, event)) === index);
  const isLive = told.some(({ reason }) => reason === "Ready");
  return told.filter(({ reason }) => !(isLive && reason === "RevisionReady")); // that all is live says it
}

function saysTheSame(one: TransitionEvent, other: TransitionEvent): boolean {
  return one.reason === other.reason && one.message === other.message;
}

function revisionEvents(before: RevisionStatus | undefined, after: RevisionStatus): TransitionEvent[] {
  const { revision, reason, message, state } = after;
  const events: TransitionEvent[] = [];
  if (before === undefined)
    events.push({
      type: "Normal",
      reason: "RevisionCreated",
      message: `${revision} is made from ${madeFrom(after)}`,
      revision,
    });
  const isRoutine = reason === undefined || reason === "Starting" || reason === "NotReady";
  if (!isRoutine && (before?.reason !== reason || before.message !== message))
    events.push({ type: "Warning", reason, message: `${revision}: ${message}`, revision });
  const became = (wanted: RevisionStatus["state"]): boolean => state === wanted && before?.state !== wanted;
  if (before !== undefined && before.readyReplicas === 0 && after.readyReplicas > 0)
    events.push({ type: "Normal", reason: "RevisionReady", message: `${revision} has ready pods`, revision });
  if (became("Draining"))
    events.push({
      type: "Normal",
      reason: "RevisionDraining",
      message: `${revision} takes no new requests and goes soon`,
      revision,
    });
  return events;
}

function madeFrom({ uri, artifact, image }: RevisionStatus): string {
  return artifact === undefined ? `${uri ?? image}` : `${uri}, which is ${artifact} now`;
}

function goneEvents(before: ModelDeploymentStatus, after: ModelDeploymentStatus): TransitionEvent[] {
  const now = new Set((after.revisions ?? []).map(({ revision }) => revision));
  return (before.revisions ?? [])
    .filter(({ revision }) => !now.has(revision))
    .map(({ revision }) => ({
      type: "Normal",
      reason: "RevisionRemoved",
      message: `${revision} has drained and is gone`,
      revision,
    }));
}

/** The first split takes traffic from nobody, and says nothing of whether anyone serves yet. */
function splitEvents(before: ModelDeploymentStatus, after: ModelDeploymentStatus): TransitionEvent[] {
  if (!before.split || !after.split || before.split === after.split) return [];
  const message = `traffic goes from ${before.split} to ${after.split}`;
  return [{ type: "Normal", reason: "TrafficShifted", message }];
}

function conditionEvents(before: ModelDeploymentStatus, after: ModelDeploymentStatus): TransitionEvent[] {
  const find = ({ conditions }: ModelDeploymentStatus, type: string) =>
    conditions?.find((condition) => condition.type === type);
  const events: TransitionEvent[] = [];
  const stalled = find(after, "Stalled");
  if (stalled !== undefined && find(before, "Stalled")?.message !== stalled.message)
    events.push({ type: "Warning", reason: stalled.reason, message: stalled.message });
  const stale = find(after, "AliasStale");
  if (stale !== undefined && find(before, "AliasStale")?.message !== stale.message)
    events.push({ type: "Warning", reason: stale.reason, message: stale.message });
  const ready = find(after, "Ready");
  if (ready?.status === "True" && find(before, "Ready")?.status !== "True")
    events.push({ type: "Normal", reason: "Ready", message: "this generation is fully live" });
  const wasAvailable = find(before, "Available")?.status === "True";
  const available = find(after, "Available");
  if (wasAvailable && available?.status === "False")
    events.push({ type: "Warning", reason: "Unavailable", message: available.message });
  return events;
}
