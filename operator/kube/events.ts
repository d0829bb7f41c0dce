import { randomBytes } from "node:crypto";
import { type Clock, sleep } from "./clock.ts";
import { isNotFound } from "./errors.ts";
import type { Log } from "./log.ts";
import { collectionPath, events, type KubeObject, objectPath } from "./objects.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { KubeClient } from "./transport.ts";

export interface EventContent {
  type: "Normal" | "Warning";
  /** UpperCamelCase, for machines. */
  reason: string;
  /** For people; cut at 1024 bytes. */
  message: string;
}

interface EventRecorderOptions {
  client: KubeClient;
  /** The controller's name in `kubectl describe`. */
  component: string;
  /** This process, among its replicas. */
  instance: string;
  clock: Clock;
  log: Log;
}

interface PendingEvent {
  about: KubeObject;
  content: EventContent;
  /** How often it happened since it was last written. */
  count: number;
  first: string;
  last: string;
}

interface WrittenEvent {
  namespace: string;
  name: string;
  count: number;
}

const maxMessageBytes = 1024;
const maxPending = 1000;
const maxRemembered = 4096;
// As client-go: an object that flaps must not flood etcd.
const perObject = { capacity: 25, refillPerSecond: 1 / 300 };
const stopWithinMs = 2_000;

/**
 * Tells people what happened to an object, as core/v1 Events. Best effort: `record` never waits or throws; a repetition
 * of the same words about the same object counts the Event up.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #pending = new Map<string, PendingEvent>();
  readonly #written = new BoundedMap<WrittenEvent>(maxRemembered);
  readonly #buckets = new BoundedMap<TokenBucket>(maxRemembered);
  readonly #stopping = new AbortController();
  #writing: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(about: KubeObject, content: EventContent): void {
    const { clock, log } = this.#options;
    const object = about.metadata.uid ?? `${about.kind}/${about.metadata.namespace}/${about.metadata.name}`;
    const bucket = this.#buckets.getOrInsert(object, () => new TokenBucket(clock, perObject));
    if (this.#stopping.signal.aborted || !bucket.take()) {
      log.debug({ object, reason: content.reason }, "event dropped: too many about this object");
      return;
    }
    const now = timestamp(clock.now());
    const key = JSON.stringify([object, content.type, content.reason, content.message]);
    const pending = this.#pending.get(key);
    if (pending) {
      pending.count += 1;
      pending.last = now;
    } else if (this.#pending.size < maxPending) {
      this.#pending.set(key, { about, content, count: 1, first: now, last: now });
    } else {
      log.warn({ object, reason: content.reason }, "event dropped: too many are waiting to be written");
    }
    this.#writing ??= this.#writePending();
  }

  /** Writes what is waiting, within 2 s, and takes no more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#writing === undefined) return;
    const enough = new AbortController();
    await Promise.race([this.#writing, sleep(this.#options.clock, stopWithinMs, enough.signal)]);
    enough.abort();
    this.#pending.clear();
  }

  async #writePending(): Promise<void> {
    await Promise.resolve(); // so that what is recorded in one go is counted together
    for (let [next] = this.#pending; next !== undefined; [next] = this.#pending) {
      const [key, event] = next;
      this.#pending.delete(key);
      try {
        await this.#write(key, event);
      } catch (error) {
        this.#options.log.warn({ err: error, reason: event.content.reason }, "event not written");
      }
    }
    this.#writing = undefined; // in the same breath as finding nothing: what is recorded from now on starts anew
  }

  async #write(key: string, event: PendingEvent): Promise<void> {
    const written = this.#written.get(key);
    if (written === undefined || !(await this.#countUp(written, event))) {
      this.#written.set(key, await this.#create(event));
    }
  }

  /** False when the Event is gone: the API server forgets them after an hour. */
  async #countUp(written: WrittenEvent, { count, last }: PendingEvent): Promise<boolean> {
    try {
      await this.#options.client.request("PATCH", objectPath(events, written), {
        contentType: "application/merge-patch+json",
        body: { count: written.count + count, lastTimestamp: last },
        action: `counting up Event ${written.namespace}/${written.name}`,
      });
      written.count += count;
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #create({ about, content, count, first, last }: PendingEvent): Promise<WrittenEvent> {
    const { client, component, instance } = this.#options;
    const { apiVersion, kind, metadata } = about;
    const namespace = metadata.namespace ?? "default";
    const name = `${metadata.name}.${randomBytes(8).toString("hex")}`;
    await client.request("POST", collectionPath(events, namespace), {
      action: `creating Event ${content.reason} about ${kind} ${namespace}/${metadata.name}`,
      body: {
        apiVersion: "v1",
        kind: "Event",
        metadata: { namespace, name },
        involvedObject: {
          apiVersion,
          kind,
          namespace: metadata.namespace,
          name: metadata.name,
          uid: metadata.uid,
          resourceVersion: metadata.resourceVersion,
        },
        type: content.type,
        reason: content.reason,
        message: cut(content.message),
        count,
        firstTimestamp: first,
        lastTimestamp: last,
        source: { component, host: instance },
        reportingComponent: component,
        reportingInstance: instance,
      },
    });
    return { namespace, name, count };
  }
}

/** Forgets what was set first when it is full. */
class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  getOrInsert(key: string, make: () => V): V {
    const value = this.#entries.get(key) ?? make();
    this.set(key, value);
    return value;
  }
}

function cut(message: string): string {
  if (Buffer.byteLength(message) <= maxMessageBytes) return message;
  const ellipsis = "…";
  const room = maxMessageBytes - Buffer.byteLength(ellipsis);
  // Cutting between the bytes of one character leaves a replacement character.
  return (
    Buffer.from(message)
      .subarray(0, room)
      .toString()
      .replace(/\uFFFD$/, "") + ellipsis
  );
}

/** RFC 3339 in whole seconds, as the API server keeps it. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
