import { LABELS } from "../api/names.ts";
import type { Clock } from "../kube/clock.ts";
import { formatKey } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";

/** A watch that lags by more than this will not tell any more: what it would have told of may be gone again. */
const FORGET_AFTER_MS = 60_000;

/**
 * The answers to our own writes, until the watch brings them. Without them a pass right after a write would see the
 * state before it, and write again. resourceVersions are compared as numbers (KEP-5504).
 */
export class RecentWrites {
  readonly #clock: Pick<Clock, "monotonic">;
  /** The oldest first. */
  readonly #written = new Map<string, { readonly object: KubeObject; readonly at: number }>();
  /** Their identities by the ModelDeployment that they are of. */
  readonly #ofOwner = new Map<string, Set<string>>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  add(written: KubeObject): void {
    this.#forgetOld();
    const key = identity(written);
    this.#forget(key);
    this.#written.set(key, { object: written, at: this.#clock.monotonic() });
    this.#ofOwner.getOrInsertComputed(ownerKey(written), () => new Set()).add(key);
  }

  /** The watch told of this state of the object, or that it is gone. True for the very state that was written last. */
  caughtUp(seen: KubeObject | undefined, isGone: boolean): boolean {
    if (seen === undefined) return false;
    const written = this.#written.get(identity(seen))?.object;
    if (written === undefined) return false;
    if (isGone || version(seen) >= version(written)) this.#forget(identity(seen));
    return !isGone && version(seen) === version(written);
  }

  newer(cached: KubeObject): KubeObject {
    const written = this.#written.get(identity(cached))?.object;
    return written !== undefined && version(written) > version(cached) ? written : cached;
  }

  /** The cached children of one object, each as new as we know it, and those that no watch has told of yet. */
  merge(owner: string, cached: readonly KubeObject[]): KubeObject[] {
    this.#forgetOld();
    const unseen = new Set(this.#ofOwner.get(owner));
    for (const object of cached) unseen.delete(identity(object));
    const added = [...unseen].flatMap((key) => this.#written.get(key)?.object ?? []);
    return [...cached.map((object) => this.newer(object)), ...added];
  }

  #forgetOld(): void {
    const longAgo = this.#clock.monotonic() - FORGET_AFTER_MS;
    for (const [key, { at }] of this.#written) {
      if (at > longAgo) return;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    const written = this.#written.get(key)?.object;
    if (written === undefined) return;
    this.#written.delete(key);
    const owner = ownerKey(written);
    const others = this.#ofOwner.get(owner);
    others?.delete(key);
    if (others?.size === 0) this.#ofOwner.delete(owner);
  }
}

function identity({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name}/${metadata.uid ?? ""}`;
}

function ownerKey({ metadata }: KubeObject): string {
  return formatKey({ namespace: metadata.namespace ?? "", name: metadata.labels?.[LABELS.modelDeployment] ?? "" });
}

function version({ metadata }: KubeObject): bigint {
  return BigInt(metadata.resourceVersion ?? 0);
}
