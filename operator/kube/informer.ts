import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { keyOf, type KubeObject, type ObjectKey, type ResourceType } from "./objects.ts";
import { Reflector, type ReflectorSink } from "./reflector.ts";
import { type IndexFunction, Store } from "./store.ts";
import type { KubeClient } from "./transport.ts";

/** Called with what was there before and what is now: one of the two is undefined when the object came or went. */
type ChangeHandler<T extends KubeObject> = (key: ObjectKey, old: T | undefined, current: T | undefined) => void;

export interface InformerOptions<T extends KubeObject> {
  client: KubeClient;
  type: ResourceType;
  namespaces: readonly string[] | "all";
  labelSelector?: string;
  indexes?: Record<string, IndexFunction<T>>;
  /** What to keep of each object; it may change its argument. By default all but metadata.managedFields. */
  trim?: (object: T) => T;
  clock: Clock;
  log: Log;
}

/** A local copy of a collection, kept current by watches, that tells handlers of each change. */
export class Informer<T extends KubeObject> {
  readonly store: Store<T>;
  readonly #options: InformerOptions<T>;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #stopping = new AbortController();
  readonly #allListed = Promise.withResolvers<void>();
  /** Namespaces whose first list is still to come; "" is all of them. */
  readonly #unlisted: Set<string>;
  #reflectors: Promise<void>[] = [];

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.store = new Store(options.indexes);
    this.#unlisted = new Set(options.namespaces === "all" ? [""] : options.namespaces);
    if (this.#unlisted.size === 0) this.#allListed.resolve();
  }

  get hasSynced(): boolean {
    return this.#unlisted.size === 0;
  }

  /** Resolves once everything that existed at the start is in the store, and the handlers have been told. */
  async synced(): Promise<void> {
    await this.#allListed.promise;
  }

  /** The handler is first told of all that is already there. A handler that throws is logged, and no other suffers. */
  onChange(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler);
    for (const object of this.store.list()) this.#tell(handler, keyOf(object), undefined, object);
  }

  start(): void {
    const { client, type, labelSelector, trim = withoutManagedFields, clock, log } = this.#options;
    this.#reflectors = [...this.#unlisted].map((namespace) => {
      const reflector = new Reflector<T>({
        client,
        type,
        ...(namespace !== "" && { namespace }),
        ...(labelSelector !== undefined && { labelSelector }),
        sink: this.#sinkOf(namespace),
        trim,
        clock,
        log,
      });
      return reflector.run(this.#stopping.signal);
    });
  }

  /** Resolves once the last watch has ended. The store stays readable. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#reflectors);
  }

  #sinkOf(namespace: string): ReflectorSink<T> {
    return {
      replace: (objects) => {
        this.#replace(namespace, objects);
        this.#unlisted.delete(namespace);
        if (this.hasSynced) this.#allListed.resolve();
      },
      put: (object) => this.#put(object),
      remove: (object) => this.#removeIncarnation(object),
    };
  }

  #replace(namespace: string, objects: T[]): void {
    const unseen = new Store<T>();
    for (const object of this.store.list()) {
      if (namespace === "" || object.metadata.namespace === namespace) unseen.put(object);
    }
    for (const object of objects) {
      unseen.remove(keyOf(object));
      this.#put(object);
    }
    for (const object of unseen.list()) this.#remove(keyOf(object));
  }

  #put(object: T): void {
    const key = keyOf(object);
    const old = this.store.get(key);
    if (old !== undefined && isSameIncarnation(old, object)) {
      if (old.metadata.resourceVersion === object.metadata.resourceVersion) return; // a relist repeats what we know
    } else {
      // Deleted and created again under one name while we looked away: who kept state for the first must let go.
      this.#remove(key);
    }
    this.#tellAll(key, this.store.put(object), object);
  }

  /** The deletion of an earlier incarnation, told late, says nothing about its successor. */
  #removeIncarnation(object: T): void {
    const known = this.store.get(keyOf(object));
    if (known !== undefined && isSameIncarnation(known, object)) this.#remove(keyOf(object));
  }

  #remove(key: ObjectKey): void {
    const old = this.store.remove(key);
    if (old !== undefined) this.#tellAll(key, old, undefined);
  }

  #tellAll(key: ObjectKey, old: T | undefined, current: T | undefined): void {
    for (const handler of this.#handlers) this.#tell(handler, key, old, current);
  }

  #tell(handler: ChangeHandler<T>, key: ObjectKey, old: T | undefined, current: T | undefined): void {
    try {
      handler(key, old, current);
    } catch (error) {
      this.#options.log.error({ err: error, kind: this.#options.type.kind, ...key }, "change handler failed");
    }
  }
}

function isSameIncarnation(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid;
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}
