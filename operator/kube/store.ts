import { formatKey, keyOf, type KubeObject, type ObjectKey } from "./objects.ts";

/** The values under which an object is found in a secondary index. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

/** Finds objects by the uid of the owner that controls them. */
export function byControllerUid(object: KubeObject): string[] {
  return (object.metadata.ownerReferences ?? []).filter((owner) => owner.controller).map((owner) => owner.uid);
}

/** Finds objects by the value of a label; `namespace/value`, since a label means something within a namespace only. */
export function byLabel(label: string): IndexFunction<KubeObject> {
  return ({ metadata }) => {
    const value = metadata.labels?.[label];
    return value === undefined ? [] : [`${metadata.namespace ?? ""}/${value}`];
  };
}

/** Objects by namespace and name, with secondary indexes. What it returns is frozen: shared by all readers, changed by none. */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: Map<string, { values: IndexFunction<T>; keys: Map<string, Set<string>> }>;

  constructor(indexes: Record<string, IndexFunction<T>> = {}) {
    this.#indexes = new Map(
      Object.entries(indexes).map(([name, values]) => [name, { values, keys: new Map<string, Set<string>>() }]),
    );
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(formatKey(key));
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  /** The objects whose index function named `value`. Throws for an index that the store was not made with. */
  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (!found)
      throw new RangeError(`the store has no index "${index}"; it has: ${[...this.#indexes.keys()].join(", ")}`);
    return [...(found.keys.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Freezes the object and keeps it. Returns the one that it replaces. */
  put(object: T): T | undefined {
    const key = formatKey(keyOf(object));
    const old = this.#remove(key);
    this.#objects.set(key, deepFreeze(object));
    for (const { values, keys } of this.#indexes.values()) {
      for (const value of values(object)) {
        const sameValue = keys.get(value);
        if (sameValue) sameValue.add(key);
        else keys.set(value, new Set([key]));
      }
    }
    return old;
  }

  remove(key: ObjectKey): T | undefined {
    return this.#remove(formatKey(key));
  }

  #remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    for (const { values, keys } of this.#indexes.values()) {
      for (const value of values(old)) {
        const sameValue = keys.get(value);
        sameValue?.delete(key);
        if (sameValue?.size === 0) keys.delete(value);
      }
    }
    return old;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
