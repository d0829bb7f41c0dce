import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "./client.ts";
import { keyOf, type KubeObject } from "./objects.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const WATCH_SECONDS = 290;

export interface Change<T> {
  type: "added" | "modified" | "deleted";
  object: T;
  previous?: T;
}

interface List<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

/** A local copy of one collection, kept by list and watch. An object that was deleted and made again is a deletion and an addition. */
export class Mirror<T extends KubeObject> {
  private readonly client: ClusterClient;
  private readonly path: string;
  private readonly logger: Logger;
  private readonly objects = new Map<string, T>();
  private readonly listeners = new Set<(change: Change<T>) => void>();
  private readonly stopping = new AbortController();
  private readonly firstList = Promise.withResolvers<void>();
  private running: Promise<void> | undefined;

  constructor(client: ClusterClient, path: string, logger: Logger) {
    this.client = client;
    this.path = path;
    this.logger = logger;
    this.firstList.promise.catch(() => {}); // closing before the first list is no error unless somebody waits for it
  }

  /** Resolves when the first list has been read; keeps trying while the server cannot be reached. */
  start(): Promise<void> {
    this.running ??= this.follow();
    return this.firstList.promise;
  }

  get(namespace: string, name: string): T | undefined {
    return this.objects.get(`${namespace}/${name}`);
  }

  list(): T[] {
    return [...this.objects.values()];
  }

  /** Listeners hear of changes after the copy has them. */
  subscribe(listener: (change: Change<T>) => void): void {
    this.listeners.add(listener);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.firstList.reject(new Error(`listing ${this.path} was given up: closed`));
    await this.running;
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    let resourceVersion: string | undefined;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        resourceVersion ??= await this.relist(signal);
        for await (const event of this.client.watch(
          this.path,
          { resourceVersion, allowWatchBookmarks: true, timeoutSeconds: WATCH_SECONDS },
          signal,
        )) {
          if (event.type === "ERROR") {
            resourceVersion = undefined; // 410 or worse: only a new list helps
            throw new Error(`watching ${this.path}: the server sent ${JSON.stringify(event.object).slice(0, 300)}`);
          }
          const object = event.object as T;
          resourceVersion = object.metadata.resourceVersion;
          if (event.type === "DELETED") this.remove(object);
          else if (event.type !== "BOOKMARK") this.put(object);
          retryMs = FIRST_RETRY_MS;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (hasStatus(error, 410)) resourceVersion = undefined;
        this.logger.debug({ err: error, path: this.path }, "watch broke; trying again");
        await sleep(retryMs, undefined, { signal }).catch(() => {});
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  private async relist(signal: AbortSignal): Promise<string> {
    const list = await this.client.request<List<T>>("GET", this.path, { signal });
    const present = new Set(list.items.map(keyOf));
    for (const [key, object] of this.objects) if (!present.has(key)) this.remove(object);
    for (const object of list.items) this.put(object);
    this.firstList.resolve();
    return list.metadata.resourceVersion;
  }

  private put(object: T): void {
    const key = keyOf(object);
    let previous = this.objects.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.remove(previous);
      previous = undefined;
    }
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.objects.set(key, object);
    this.tell(previous === undefined ? { type: "added", object } : { type: "modified", object, previous });
  }

  private remove(object: T): void {
    if (this.objects.delete(keyOf(object))) this.tell({ type: "deleted", object });
  }

  private tell(change: Change<T>): void {
    for (const listener of this.listeners) {
      try {
        listener(change);
      } catch (error) {
        this.logger.error({ err: error, path: this.path }, "a listener of this collection failed");
      }
    }
  }
}
