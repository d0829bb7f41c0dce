import type { CoreV1Event } from "@kubernetes/client-node";
import type { Clock } from "../kube/clock.ts";
import { KubeError } from "../kube/errors.ts";
import type { Log } from "../kube/log.ts";
import { collectionPath, events } from "../kube/objects.ts";
import type { KubeClient } from "../kube/transport.ts";
import { isReady } from "../status/pod-failure.ts";
import type { Complaints } from "../status/pod-failure.ts";
import type { Pod } from "./world.ts";

export interface PodComplaintsOptions {
  readonly client: Pick<KubeClient, "request">;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly log: Log;
}

const ASK_AGAIN_MS = 10_000;
/** A node that has said nothing about a pod for this long will not. */
const GIVE_UP_MS = 60_000;
const PODS_AT_ONCE = 3;
const LONGEST = 500;

/**
 * What a probe answered and which volume is missing stand in Events only. They are read for pods that run but are not
 * ready, or whose containers are not made, and of a few pods of an object at most: these tell for the others.
 */
export class PodComplaints {
  readonly #options: PodComplaintsOptions;
  readonly #known = new Map<string, { readonly version: string; readonly at: number; readonly text?: string }>();

  constructor(options: PodComplaintsOptions) {
    this.#options = options;
  }

  async read(pods: readonly Pod[]): Promise<{ readonly complaints: Complaints; readonly askAgainMs?: number }> {
    this.#forget();
    const asked = pods.filter(isQuestionable).slice(0, PODS_AT_ONCE);
    const texts = await Promise.all(asked.map((pod) => this.#complaint(pod)));
    const complaints = new Map<string, string>();
    for (const [index, pod] of asked.entries()) {
      const text = texts[index];
      if (text !== undefined) complaints.set(pod.metadata.uid ?? "", text);
    }
    const { clock } = this.#options;
    const mayStillTell = asked.some(
      (pod) => !complaints.has(pod.metadata.uid ?? "") && clock.now() - changedAt(pod) < GIVE_UP_MS,
    );
    return { complaints, ...(mayStillTell && { askAgainMs: ASK_AGAIN_MS }) };
  }

  async #complaint(pod: Pod): Promise<string | undefined> {
    const { clock } = this.#options;
    const { uid = "", resourceVersion: version = "" } = pod.metadata;
    const known = this.#known.get(uid);
    const isFresh = known !== undefined && clock.monotonic() - known.at < ASK_AGAIN_MS;
    if (known?.version === version && (isFresh || known.text !== undefined)) return known.text;
    const text = await this.#ask(pod);
    this.#known.set(uid, { version, at: clock.monotonic(), ...(text !== undefined && { text }) });
    return text;
  }

  async #ask({ metadata, status }: Pod): Promise<string | undefined> {
    const { client, log } = this.#options;
    const { namespace = "", name, uid = "" } = metadata;
    const isRunning = status?.containerStatuses?.some(({ state }) => state?.running !== undefined) === true;
    const query = { fieldSelector: `involvedObject.uid=${uid},type=Warning`, limit: 50 };
    try {
      const { items } = await client.request<{ items: CoreV1Event[] }>("GET", collectionPath(events, namespace), {
        query,
        action: `reading the Events of pod ${namespace}/${name}`,
      });
      const telling = items.filter(
        ({ reason, message }) => !isRunning || (reason === "Unhealthy" && message?.startsWith("Readiness") === true),
      );
      return telling
        .toSorted((a, b) => seenAt(a) - seenAt(b))
        .at(-1)
        ?.message?.slice(0, LONGEST);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // An explanation that cannot be had must not keep the operator from its work.
      log.debug({ namespace, pod: name, err: error }, "the Events of a pod were not read");
      return undefined;
    }
  }

  #forget(): void {
    const longAgo = this.#options.clock.monotonic() - 10 * GIVE_UP_MS;
    for (const [uid, { at }] of this.#known) if (at < longAgo) this.#known.delete(uid);
  }
}

function isQuestionable(pod: Pod): boolean {
  const { status, metadata } = pod;
  if (metadata.deletionTimestamp !== undefined || isReady(pod) || status?.phase === "Failed") return false;
  return (status?.containerStatuses ?? []).some(
    ({ state, ready, started }) =>
      state?.waiting?.reason === "ContainerCreating" || (state?.running !== undefined && started === true && !ready),
  );
}

/** Times are text here, whatever client-node's types say. */
function changedAt({ metadata, status }: Pod): number {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return new Date(ready?.lastTransitionTime ?? metadata.creationTimestamp ?? 0).getTime();
}

function seenAt({ series, lastTimestamp, eventTime, metadata }: CoreV1Event): number {
  const time = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
  return time === undefined ? 0 : new Date(time).getTime();
}
