import { backoffWithJitter } from "./backoff.ts";
import { type Clock, sleep } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import { isExpired, KubeError } from "./errors.ts";
import type { Log } from "./log.ts";
import { apiVersionOf, collectionPath, type KubeObject, type ResourceType } from "./objects.ts";
import type { KubeClient } from "./transport.ts";
import type { WatchEvent } from "./watch-stream.ts";

/** Where a reflector writes what it sees. */
export interface ReflectorSink<T extends KubeObject> {
  /** All objects that exist now: any other that was seen before is gone. */
  replace(objects: T[]): void;
  put(object: T): void;
  remove(object: T): void;
}

interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  type: ResourceType;
  /** Omitted: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  sink: ReflectorSink<T>;
  /** What is kept of each object, decided as it comes: a list of thousands must not be in memory whole with what nobody reads. */
  trim?: (object: T) => T;
  clock: Clock;
  log: Log;
  random?: () => number;
}

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

// Every kind is listed at once at the start: the answers, and the objects before they are trimmed, are in memory together.
const pageSize = 200;
// The server ends each watch after 5 to 10 minutes, spread so that not all reflectors return at once.
const shortestWatchSeconds = 300;
const longestWatchSeconds = 600;
// The server ends a watch on time; one that is silent for longer has lost its connection.
const stallSlackSeconds = 30;
const backoff = { baseMs: 200, maxMs: 30_000 };
// A resourceVersion from before a restored backup is refused with other errors than 410, or not answered, for ever.
const refusalsUntilRelist = 3;
// A server that accepts watches and ends them at once must not be asked in a tight loop.
const shortestHealthyWatchMs = 1_000;

/** Keeps a sink equal to one collection of the API server: lists, watches, resumes, and lists again when it must. */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #path: string;
  readonly #random: () => number;
  /** Where the next watch begins; undefined: list first. */
  #resourceVersion: string | undefined;
  /** Failures in a row, since a watch last told us something. */
  #failures = 0;
  /** Those of them while the server could be reached: one that restarts must not be met by lists of everything. */
  #refusals = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#path = collectionPath(options.type, options.namespace);
    this.#random = options.random ?? Math.random;
  }

  /** Resolves once `signal` aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    if (!(error instanceof KubeError && error.reason === "ConnectionFailed")) this.#refusals += 1;
    const mustRelist = isExpired(error) || isStalled(error) || this.#refusals >= refusalsUntilRelist;
    if (mustRelist) this.#resourceVersion = undefined;
    const retryAfterMs = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const delayMs = Math.max(
      Math.min(backoff.maxMs, retryAfterMs),
      backoffWithJitter(backoff, this.#failures, this.#random),
    );
    const fields = { err: error, path: this.#path, failures: this.#failures, delayMs };
    if (isExpired(error)) this.#options.log.debug(fields, "watch expired, listing again");
    else this.#options.log.warn(fields, "list or watch failed, will be retried");
    await sleep(this.#options.clock, delayMs, signal);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await this.#listPages(signal);
    this.#options.sink.replace(items);
    this.#resourceVersion = resourceVersion;
  }

  /** Without a resourceVersion a list is consistent: a stale API server cannot take us back in time. */
  async #listPages(signal: AbortSignal): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    let resourceVersion: string;
    let next: string | undefined;
    do {
      const page = await this.#listNext(signal, next);
      if (page.startedOver) items.length = 0;
      for (const item of page.items) items.push(this.#kept(item));
      resourceVersion = page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    return { items, resourceVersion };
  }

  async #listNext(signal: AbortSignal, next: string | undefined): Promise<List<T> & { startedOver: boolean }> {
    try {
      return { ...(await this.#listPage(signal, { limit: pageSize, continue: next })), startedOver: false };
    } catch (error) {
      if (next === undefined || !isExpired(error)) throw error;
      // The continue token outlived its snapshot: the collection is too large to page through in time.
      return { ...(await this.#listPage(signal, {})), startedOver: true };
    }
  }

  async #listPage(signal: AbortSignal, paging: { limit?: number; continue?: string | undefined }): Promise<List<T>> {
    const query = { labelSelector: this.#options.labelSelector, ...paging };
    return this.#options.client.request("GET", this.#path, { query, signal, action: `listing ${this.#path}` });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const timeoutSeconds = Math.round(
      shortestWatchSeconds + this.#random() * (longestWatchSeconds - shortestWatchSeconds),
    );
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: this.#resourceVersion,
      timeoutSeconds,
      labelSelector: this.#options.labelSelector,
    };
    const action = `watching ${this.#path}`;
    const silenceMs = (timeoutSeconds + stallSlackSeconds) * 1000;
    using stall = new Deadline(clock, silenceMs, signal, () => stalled(action, silenceMs));
    const started = clock.monotonic();
    const lasted = (ms: number) => clock.monotonic() - started >= ms;
    let heard = false;
    let changed = false;
    for await (const event of client.stream(this.#path, { query, signal: stall.signal, action })) {
      stall.restart();
      this.#receive(event as WatchEvent<T>);
      heard = true;
      changed ||= event.type !== "BOOKMARK";
      if (changed || lasted(shortestHealthyWatchMs)) this.#recovered();
    }
    if (!changed && !lasted(shortestHealthyWatchMs)) {
      throw new KubeError(`${action}: the server ended it at once`, { status: 0, reason: "ShortWatch" });
    }
    this.#recovered();
    // Not even a bookmark in all this time: see isStalled.
    if (!heard && lasted(shortestWatchSeconds * 1000)) this.#resourceVersion = undefined;
  }

  #recovered(): void {
    this.#failures = 0;
    this.#refusals = 0;
  }

  #receive({ type, object }: WatchEvent<T>): void {
    const { sink } = this.#options;
    if (type === "DELETED") sink.remove(this.#kept(object));
    else if (type !== "BOOKMARK") sink.put(this.#kept(object));
    this.#resourceVersion = object.metadata.resourceVersion;
  }

  /** Items of a list come without their kind, watched objects with it: readers must not see the difference. */
  #kept(object: T): T {
    const { type, trim } = this.#options;
    const complete = { ...object, apiVersion: apiVersionOf(type), kind: type.kind };
    return trim === undefined ? complete : trim(complete);
  }
}

function stalled(action: string, silenceMs: number): KubeError {
  const message = `${action}: nothing heard for ${silenceMs / 1000} s, although the server ends watches sooner`;
  return new KubeError(message, { status: 0, reason: "Stalled" });
}

/**
 * After a backup was restored, a server may accept a watch from a resourceVersion that it has not reached yet, and say
 * nothing, not even that the watch ends. A watch that was silent for so long is no ground to resume from.
 */
function isStalled(error: unknown): boolean {
  return error instanceof KubeError && error.reason === "Stalled";
}
