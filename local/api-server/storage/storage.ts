import { expired } from "../api-error.ts";
import type { KubeObject } from "../objects.ts";
import type { StateFile } from "./state-file.ts";

type StorageEventType = "ADDED" | "MODIFIED" | "DELETED";

/** One change of one object. `previous` lets a selecting watcher see an object leave its selection. */
export interface StorageEvent {
  type: StorageEventType;
  object: KubeObject;
  previous: KubeObject | undefined;
  resourceVersion: number;
}

type Listener = (event: StorageEvent) => void;

/** How many changes of one resource a watch may lag behind before it must list again (410 Gone). */
const watchWindow = 1000;

/** Not kept in a file: a Lease says that a process lives, and after a restart it would say so of one that does not. */
const ephemeral = new Set(["leases.coordination.k8s.io"]);

class Collection {
  readonly objects = new Map<string, KubeObject>();
  readonly history: StorageEvent[] = [];
  readonly listeners = new Set<Listener>();
  /** The newest change that is no longer in `history`. */
  forgotten = 0;
  sortedKeys: string[] | undefined;

  keys(): string[] {
    this.sortedKeys ??= [...this.objects.keys()].sort();
    return this.sortedKeys;
  }

  record(event: StorageEvent): void {
    this.history.push(event);
    if (this.history.length > watchWindow) this.forgotten = this.history.shift()?.resourceVersion ?? this.forgotten;
    for (const listener of this.listeners) listener(event);
  }
}

/**
 * Every object of the cluster in memory, under one global resourceVersion; and what watches need of the past. With a file,
 * each write is in it before anybody learns of the write.
 */
export class Storage {
  private readonly collections = new Map<string, Collection>();
  private readonly file: StateFile | undefined;
  private readonly firstVersion: number;
  private version: number;

  /**
   * `firstVersion` should grow from one run of the server to the next: then a client that outlived a run is told (410) that
   * its version is too old, instead of waiting for a version that means something else by now.
   * Begins with what is in `file`. @throws StateFileError when that is damaged
   */
  constructor(firstVersion = 0, file?: StateFile) {
    this.file = file;
    this.firstVersion = Math.max(firstVersion, file?.resourceVersion ?? 0);
    this.version = this.firstVersion;
    for (const { resource, object } of file?.objects() ?? []) {
      const { namespace, name } = object.metadata;
      this.collection(resource).objects.set(storageKey(namespace, name), object);
    }
  }

  get resourceVersion(): number {
    return this.version;
  }

  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.collection(resource).objects.get(storageKey(namespace, name));
  }

  /** All objects of one resource, or of one namespace of it, in the order of namespace and name. */
  list(resource: string, namespace?: string): KubeObject[] {
    const { objects } = this.collection(resource);
    const found: KubeObject[] = [];
    for (const key of this.collection(resource).keys()) {
      const object = objects.get(key);
      if (object && (namespace === undefined || object.metadata.namespace === namespace)) found.push(object);
    }
    return found;
  }

  /** What `list` gave when the cluster was at `version`; undefined when the changes since then are no longer known. */
  listAt(resource: string, namespace: string | undefined, version: number): KubeObject[] | undefined {
    const collection = this.collection(resource);
    if (version < this.oldestKnown(collection)) return undefined;
    const objects = new Map(collection.objects);
    for (const { object, previous } of collection.history
      .filter((event) => event.resourceVersion > version)
      .reverse()) {
      const key = storageKey(object.metadata.namespace, object.metadata.name);
      if (previous === undefined) objects.delete(key);
      else objects.set(key, previous);
    }
    const found = [...objects].filter(
      ([, { metadata }]) => namespace === undefined || metadata.namespace === namespace,
    );
    return found.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Stores a new object or a new state of one, and returns it with its resourceVersion. */
  put(resource: string, object: KubeObject): KubeObject {
    const collection = this.collection(resource);
    const key = storageKey(object.metadata.namespace, object.metadata.name);
    const previous = collection.objects.get(key);
    const stored = this.versioned(object);
    if (!ephemeral.has(resource)) this.file?.put(resource, key, stored, this.version);
    collection.objects.set(key, stored);
    if (previous === undefined) collection.sortedKeys = undefined;
    collection.record({
      type: previous ? "MODIFIED" : "ADDED",
      object: stored,
      previous,
      resourceVersion: this.version,
    });
    return stored;
  }

  /** Removes an object; watchers see `last`, its final state, at the version of the removal. */
  remove(resource: string, last: KubeObject): KubeObject {
    const collection = this.collection(resource);
    const key = storageKey(last.metadata.namespace, last.metadata.name);
    const previous = collection.objects.get(key);
    const removed = this.versioned(last);
    if (!ephemeral.has(resource)) this.file?.remove(resource, key, this.version);
    collection.objects.delete(key);
    collection.sortedKeys = undefined;
    collection.record({ type: "DELETED", object: removed, previous, resourceVersion: this.version });
    return removed;
  }

  /**
   * The changes of one resource after `resourceVersion`, then live ones to `listener`, until the returned function is called.
   * Throws 410 Expired when the changes since then are no longer known.
   */
  watch(resource: string, resourceVersion: number, listener: Listener): { missed: StorageEvent[]; stop: () => void } {
    const collection = this.collection(resource);
    const oldest = this.oldestKnown(collection);
    if (resourceVersion < oldest) throw expired(`too old resource version: ${resourceVersion} (${oldest})`);
    if (resourceVersion > this.version) {
      throw expired(
        `resource version ${resourceVersion} is of another run of this server, which is at ${this.version}: list again`,
      );
    }
    collection.listeners.add(listener);
    return {
      missed: collection.history.filter((event) => event.resourceVersion > resourceVersion),
      stop: () => collection.listeners.delete(listener),
    };
  }

  /** Nothing may be written any more. */
  close(): void {
    this.file?.close();
  }

  private oldestKnown({ forgotten }: Collection): number {
    return Math.max(forgotten, this.firstVersion);
  }

  private versioned(object: KubeObject): KubeObject {
    this.version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
  }

  private collection(resource: string): Collection {
    let collection = this.collections.get(resource);
    if (collection === undefined) this.collections.set(resource, (collection = new Collection()));
    return collection;
  }
}

function storageKey(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
