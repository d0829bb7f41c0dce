import { backoffWithJitter } from "../kube/backoff.ts";
import type { Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import { formatKey } from "../kube/objects.ts";
import type { ObjectKey } from "../kube/objects.ts";
import type { AliasReference, AliasState } from "../plan/aliases.ts";
import { AliasError } from "./registry.ts";
import type { MlflowRegistry } from "./registry.ts";

export interface AliasWatcherOptions {
  readonly registry: Pick<MlflowRegistry, "versionOf">;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
  /** What an alias names has changed, or why it cannot be told: look at this object again. */
  readonly onChange: (object: ObjectKey) => void;
}

interface Followed {
  readonly reference: AliasReference;
  readonly followers: Map<string, ObjectKey>;
  state: AliasState;
  failures: number;
  timer: Disposable | undefined;
}

const RETRY_BASE_MS = 1_000;

/**
 * Keeps an eye on the aliases that objects name. Each is asked for at once and then at every interval, jittered, once
 * for all objects that share it; the last answer counts until there is another.
 */
export class AliasWatcher {
  readonly #options: AliasWatcherOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #stopping = new AbortController();

  constructor(options: AliasWatcherOptions) {
    this.#options = options;
  }

  /** From now on these are the aliases of the object; none of them when it is gone. */
  follow(object: ObjectKey, references: readonly AliasReference[]): void {
    const wanted = new Map(references.map((reference) => [idOf(reference), reference]));
    const follower = formatKey(object);
    for (const [id, followed] of this.#followed) {
      if (wanted.has(id) || !followed.followers.delete(follower) || followed.followers.size > 0) continue;
      followed.timer?.[Symbol.dispose]();
      this.#followed.delete(id);
    }
    for (const [id, reference] of wanted) this.#entry(id, reference).followers.set(follower, object);
  }

  /** What is known of an alias; nothing before its first answer. */
  stateOf(reference: AliasReference): AliasState {
    return this.#followed.get(idOf(reference))?.state ?? {};
  }

  stop(): void {
    this.#stopping.abort();
    for (const { timer } of this.#followed.values()) timer?.[Symbol.dispose]();
    this.#followed.clear();
  }

  #entry(id: string, reference: AliasReference): Followed {
    const known = this.#followed.get(id);
    if (known !== undefined) return known;
    const followed: Followed = { reference, followers: new Map(), state: {}, failures: 0, timer: undefined };
    this.#followed.set(id, followed);
    void this.#poll(id, followed);
    return followed;
  }

  async #poll(id: string, followed: Followed): Promise<void> {
    const before = followed.state;
    try {
      followed.state = { version: await this.#options.registry.versionOf(followed.reference, this.#stopping.signal) };
      followed.failures = 0;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      followed.failures += 1;
      followed.state = { ...before, problem: this.#problemOf(error, followed.reference) };
    }
    if (this.#stopping.signal.aborted || this.#followed.get(id) !== followed) return;
    followed.timer = this.#options.clock.setTimeout(() => void this.#poll(id, followed), this.#waitMs(followed));
    if (before.version !== followed.state.version || before.problem?.message !== followed.state.problem?.message)
      this.#tell(before, followed);
  }

  #problemOf(error: unknown, reference: AliasReference): NonNullable<AliasState["problem"]> {
    if (error instanceof AliasError) return error.problem;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.log.error({ err: error, ...reference }, "an alias could not be resolved");
    return { reason: "RegistryUnavailable", message };
  }

  #waitMs({ failures }: Followed): number {
    const { pollMs, random = Math.random } = this.#options;
    if (failures > 0) return backoffWithJitter({ baseMs: RETRY_BASE_MS, maxMs: pollMs }, failures, random);
    return pollMs * (0.9 + random() * 0.2); // aliases that were first asked for together drift apart
  }

  #tell(before: AliasState, { reference, state, followers }: Followed): void {
    const { model, alias, trackingUri } = reference;
    const fields = { model, alias, trackingUri, from: before.version, to: state.version };
    if (state.problem !== undefined)
      this.#options.log.warn({ ...fields, problem: state.problem.message }, "an alias cannot be resolved now");
    else this.#options.log.info(fields, "an alias was resolved");
    for (const object of followers.values()) this.#options.onChange(object);
  }
}

function idOf({ trackingUri, namespace, secret, model, alias }: AliasReference): string {
  return JSON.stringify([trackingUri, namespace, secret ?? "", model, alias]);
}
