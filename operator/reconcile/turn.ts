import type { Turn } from "../kube/work-queue.ts";
import { horizontalPodAutoscalers, pods } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";
import { saysTheSame } from "./kept-fields.ts";
import { modelDeployments } from "./resource-types.ts";

/** What a watch told of one object; one of the two states is missing when it came or went. */
export interface Change {
  readonly old: KubeObject | undefined;
  readonly current: KubeObject | undefined;
  /** Its state now is what we wrote last. */
  readonly isOurs: boolean;
}

/** What explains more than it decides waits for what else comes: short enough for a reason to be told within seconds. */
const GATHER_MS = 1_000;

const AT_ONCE: Turn = { priority: "normal" };
const SOON: Turn = { priority: "normal", afterMs: GATHER_MS };
/** A thousand new objects, and the children that we just made of them, must not stand before one whose pods became ready. */
const NEW: Turn = { priority: "low" };
const MADE: Turn = { priority: "low", afterMs: GATHER_MS };

/** When to look at the ModelDeployment that this is about; undefined when it says nothing new. */
export function turnOf({ old, current, isOurs }: Change): Turn | undefined {
  const { kind } = current ?? old ?? {};
  if (old === undefined) return kind === modelDeployments.kind ? NEW : MADE;
  if (current === undefined) return kind === pods.kind ? SOON : AT_ONCE;
  if (saysTheSame(old, current)) return undefined;
  const isStatusOnly = saysTheSame(withoutStatus(old), withoutStatus(current));
  if (kind === modelDeployments.kind) return isOurs && isStatusOnly ? undefined : AT_ONCE;
  if (isOurs) return MADE;
  const explains = kind === pods.kind || (kind === horizontalPodAutoscalers.kind && isStatusOnly);
  return explains ? SOON : AT_ONCE;
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown };
  return rest;
}
