import { LABELS } from "../api/names.ts";
import { formatKey } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";

/**
 * The answers to our own writes, until the watch brings them. Without them a pass right after a write would see the
 * state before it, and write again. resourceVersions are compared as numbers (KEP-5504).
 */
export class RecentWrites {
  readonly #written = new Map<string, KubeObject>();

  add(written: KubeObject): void {
    this.#written.set(identity(written), written);
  }

  /** The watch told of this state of the object, or that it is gone. */
  caughtUp(seen: KubeObject | undefined, isGone: boolean): void {
    if (seen === undefined) return;
    const written = this.#written.get(identity(seen));
    if (written === undefined) return;
    if (isGone || version(seen) >= version(written)) this.#written.delete(identity(seen));
  }

  newer(cached: KubeObject): KubeObject {
    const written = this.#written.get(identity(cached));
    return written !== undefined && version(written) > version(cached) ? written : cached;
  }

  /** The cached children of one object, each as new as we know it, and those that no watch has told of yet. */
  merge(owner: string, cached: readonly KubeObject[]): KubeObject[] {
    const known = new Set(cached.map(identity));
    const unseen = [...this.#written].filter(([key, object]) => !known.has(key) && ownerKey(object) === owner);
    return [...cached.map((object) => this.newer(object)), ...unseen.map(([, object]) => object)];
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
