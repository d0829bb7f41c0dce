import { isDeepStrictEqual } from "node:util";
import { RUNTIME_CONTAINER } from "../api/names.ts";
import type { Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import { formatKey } from "../kube/objects.ts";
import type { ObjectKey } from "../kube/objects.ts";
import type { LoadedModel } from "../plan/observed.ts";
import { isReady } from "../status/pod-failure.ts";
import type { Pod } from "./world.ts";

export interface LoadedModelsOptions {
  /** Asks the server of a pod. */
  readonly read: (address: string, signal: AbortSignal) => Promise<LoadedModel>;
  /** Something new is known of a pod of the object. */
  readonly onLearned: (key: ObjectKey) => void;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
}

/** What one start of a pod's container loaded: nothing is known while it has not been asked, or did not answer. */
interface Answer {
  model?: LoadedModel;
  attempts: number;
  askedAt: number;
  isAsked: boolean;
}

const TIMEOUT_MS = 2_000;
const AT_ONCE = 8;
const ATTEMPTS = 5;
/** A change may wait for the answer: a pod that has not given one by then is taken for one that does not know. */
const URGENT_ATTEMPTS = 3;
const ASK_AGAIN_SOON_MS = 900;
const ASK_AGAIN_LATER_MS = 30_000;

/**
 * What each ready pod has loaded, asked once of each start of its container and beside the reconcile: a pod that cannot be
 * reached must not hold it up.
 */
export class LoadedModels {
  readonly #options: LoadedModelsOptions;
  readonly #answers = new Map<string, Map<string, Answer>>();
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #stopping = new AbortController();
  #running = 0;

  constructor(options: LoadedModelsOptions) {
    this.#options = options;
  }

  /** What is known now, by pod uid: nothing of a pod that did not say. What is not is asked for meanwhile. */
  of(key: ObjectKey, pods: readonly Pod[]): ReadonlyMap<string, LoadedModel> {
    const before = this.#answers.get(formatKey(key));
    const answers = new Map<string, Answer>();
    const models = new Map<string, LoadedModel>();
    for (const pod of pods.filter(isReady)) {
      const start = startOf(pod);
      const answer = before?.get(start) ?? { attempts: 0, askedAt: 0, isAsked: false };
      answers.set(start, answer);
      if (answer.model?.sha256 === undefined) this.#ask(key, pod, answer);
      if (answer.model !== undefined) models.set(pod.metadata.uid ?? "", answer.model);
    }
    if (answers.size === 0) this.#answers.delete(formatKey(key));
    else this.#answers.set(formatKey(key), answers);
    return models;
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting.length = 0;
  }

  #ask(key: ObjectKey, pod: Pod, answer: Answer): void {
    const { read, clock, log, onLearned } = this.#options;
    const address = pod.status?.podIP;
    const again = answer.attempts < URGENT_ATTEMPTS ? ASK_AGAIN_SOON_MS : ASK_AGAIN_LATER_MS;
    const isRecent = answer.attempts > 0 && clock.monotonic() - answer.askedAt < again;
    if (address === undefined || answer.isAsked || isRecent || answer.attempts >= ATTEMPTS) return;
    answer.isAsked = true;
    this.#waiting.push(async () => {
      try {
        const model = await read(address, AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#stopping.signal]));
        answer.model = this.#known(key, model);
        if (Object.keys(model).length > 0) onLearned(key);
      } catch (error) {
        log.debug(
          { err: error, pod: pod.metadata.name, namespace: key.namespace },
          "a pod does not say what it loaded",
        );
      }
      answer.attempts += 1;
      if (answer.attempts >= URGENT_ATTEMPTS) answer.model ??= {};
      answer.askedAt = clock.monotonic();
      answer.isAsked = false;
    });
    this.#startNext();
  }

  /** Pods of one revision say the same, which is kept once: a model may have thousands of features. */
  #known(key: ObjectKey, model: LoadedModel): LoadedModel {
    const others = [...(this.#answers.get(formatKey(key))?.values() ?? [])];
    return others.find((other) => other.model !== undefined && isDeepStrictEqual(other.model, model))?.model ?? model;
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
