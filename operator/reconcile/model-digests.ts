import { RUNTIME_CONTAINER } from "../api/names.ts";
import type { Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import { formatKey } from "../kube/objects.ts";
import type { ObjectKey } from "../kube/objects.ts";
import { isReady } from "../status/pod-failure.ts";
import type { Pod } from "./world.ts";

export interface ModelDigestsOptions {
  /** Asks the server of a pod. Undefined of one that does not know. */
  readonly read: (address: string, signal: AbortSignal) => Promise<string | undefined>;
  /** Something new is known of a pod of the object. */
  readonly onLearned: (key: ObjectKey) => void;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
}

/** What one start of a pod's container loaded, as far as it has told. */
interface Answer {
  digest?: string;
  attempts: number;
  askedAt: number;
  isAsked: boolean;
}

const TIMEOUT_MS = 2_000;
const AT_ONCE = 8;
const ATTEMPTS = 3;
const ASK_AGAIN_MS = 30_000;

/**
 * The sha256 of the bytes that each ready pod has loaded, asked once of each start of its container and beside the
 * reconcile: a pod that cannot be reached must not hold it up.
 */
export class ModelDigests {
  readonly #options: ModelDigestsOptions;
  readonly #answers = new Map<string, Map<string, Answer>>();
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #stopping = new AbortController();
  #running = 0;

  constructor(options: ModelDigestsOptions) {
    this.#options = options;
  }

  /** What is known now, by pod uid; what is not is asked for meanwhile. */
  of(key: ObjectKey, pods: readonly Pod[]): ReadonlyMap<string, string> {
    const before = this.#answers.get(formatKey(key));
    const answers = new Map<string, Answer>();
    const digests = new Map<string, string>();
    for (const pod of pods.filter(isReady)) {
      const start = startOf(pod);
      const answer = before?.get(start) ?? { attempts: 0, askedAt: 0, isAsked: false };
      answers.set(start, answer);
      if (answer.digest === undefined) this.#ask(key, pod, answer);
      else digests.set(pod.metadata.uid ?? "", answer.digest);
    }
    if (answers.size === 0) this.#answers.delete(formatKey(key));
    else this.#answers.set(formatKey(key), answers);
    return digests;
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting.length = 0;
  }

  #ask(key: ObjectKey, pod: Pod, answer: Answer): void {
    const { read, clock, log, onLearned } = this.#options;
    const address = pod.status?.podIP;
    const isRecent = answer.attempts > 0 && clock.monotonic() - answer.askedAt < ASK_AGAIN_MS;
    if (address === undefined || answer.isAsked || isRecent || answer.attempts >= ATTEMPTS) return;
    answer.isAsked = true;
    this.#waiting.push(async () => {
      try {
        const digest = await read(address, AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#stopping.signal]));
        if (digest !== undefined) {
          answer.digest = digest;
          onLearned(key);
        }
      } catch (error) {
        log.debug(
          { err: error, pod: pod.metadata.name, namespace: key.namespace },
          "a pod does not say what it loaded",
        );
      }
      answer.attempts += 1;
      answer.askedAt = clock.monotonic();
      answer.isAsked = false;
    });
    this.#startNext();
  }

  #startNext(): void {
    while (this.#running < AT_ONCE && !this.#stopping.signal.aborted) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running += 1;
      void next().finally(() => {
        this.#running -= 1;
        this.#startNext();
      });
    }
  }
}

/** A container that is started again loads again. */
function startOf({ metadata, status }: Pod): string {
  const container = status?.containerStatuses?.find(({ name }) => name === RUNTIME_CONTAINER);
  return `${metadata.uid}/${container?.containerID ?? ""}/${container?.restartCount ?? 0}`;
}
