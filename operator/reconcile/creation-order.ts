import { deployments, horizontalPodAutoscalers } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";

/** Controllers make pods of the one, and ask for the other's pods from then on. */
const LAST_KINDS: readonly string[] = [deployments.kind, horizontalPodAutoscalers.kind];

/**
 * What of a new object's children is written in this pass; a further pass, behind those of other new objects, writes more.
 * Of many new objects all get their front Service first, since the API server gives out cluster IPs one at a time, in 10 ms
 * each, or ten times as long while controllers make pods of Deployments; and all get their Deployment last, since those
 * controllers take the API server's time from everything that is still to be written.
 */
export function dueOfNew(desired: readonly KubeObject[], children: readonly KubeObject[]): readonly KubeObject[] {
  if (children.length === 0) return desired.slice(0, 1);
  if (children.length === 1) return desired.filter(({ kind }) => !LAST_KINDS.includes(kind));
  return desired;
}
