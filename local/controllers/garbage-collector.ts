import { hasStatus } from "../cluster/client.ts";
import type { KubeObject } from "../cluster/objects.ts";
import { pathOf, type AllResources, type ListedResource } from "./all-resources.ts";
import type { ControllerContext, RunningController } from "./context.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

type OwnerReference = NonNullable<KubeObject["metadata"]["ownerReferences"]>[number];

interface Entry {
  resource: ListedResource;
  object: KubeObject;
}

const foreground = "foregroundDeletion";
const orphan = "orphan";

/** Deletes what lost its owners, and finishes deletions in the foreground and those that leave orphans. */
export function startGarbageCollector(context: ControllerContext, all: AllResources): RunningController {
  const collector = new GarbageCollector(context, all);
  all.subscribe(({ resource, object, isGone }) => collector.changed({ resource, object }, isGone));
  for (const resource of all.list())
    for (const object of resource.mirror.list()) collector.changed({ resource, object }, false);
  return collector.loop;
}

class GarbageCollector {
  readonly loop: ReconcileLoop;
  private readonly context: ControllerContext;
  private readonly all: AllResources;
  private readonly entries = new Map<string, Entry>();
  /** Uids of dependents by the uid of their owner. */
  private readonly dependents = new Map<string, Set<string>>();

  constructor(context: ControllerContext, all: AllResources) {
    this.context = context;
    this.all = all;
    this.loop = new ReconcileLoop("garbagecollector", (uid) => this.collect(uid), context.logger);
  }

  changed(entry: Entry, isGone: boolean): void {
    const { uid } = entry.object.metadata;
    const owners = new Set((entry.object.metadata.ownerReferences ?? []).map((owner) => owner.uid));
    for (const former of this.entries.get(uid)?.object.metadata.ownerReferences ?? []) {
      if (isGone || !owners.has(former.uid)) this.dependents.get(former.uid)?.delete(uid);
      this.loop.add(former.uid); // a foreground deletion of the owner may wait for this
    }
    if (isGone) {
      this.entries.delete(uid);
      for (const dependent of this.dependents.get(uid) ?? []) this.loop.add(dependent);
      this.dependents.delete(uid);
      return;
    }
    this.entries.set(uid, entry);
    for (const owner of owners) {
      const known = this.dependents.get(owner);
      if (known) known.add(uid);
      else this.dependents.set(owner, new Set([uid]));
    }
    if (owners.size > 0 || entry.object.metadata.finalizers?.some((name) => name === foreground || name === orphan))
      this.loop.add(uid);
  }

  private async collect(uid: string): Promise<void> {
    const entry = this.entries.get(uid);
    if (entry === undefined) return;
    const { metadata } = entry.object;
    if (metadata.deletionTimestamp !== undefined) {
      if (metadata.finalizers?.includes(orphan)) return this.orphanDependents(entry);
      if (metadata.finalizers?.includes(foreground)) return this.deleteDependents(entry);
      return;
    }
    const owners = metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const living = await Promise.all(owners.map((owner) => this.exists(owner, metadata.namespace)));
    if (!living.some(Boolean)) await this.delete(entry, "Background");
  }

  /** The local copy may be behind, so an owner is gone only when the server says so. */
  private async exists(owner: OwnerReference, namespace: string | undefined): Promise<boolean> {
    if (this.entries.has(owner.uid)) return true;
    const resource = this.all.find(owner.apiVersion, owner.kind);
    if (resource === undefined) {
      // Discovery may be behind: nothing is deleted on a guess, and the loop tries again.
      throw new Error(
        `looking for the owner ${owner.kind} ${owner.name}: the server does not serve ${owner.apiVersion}`,
      );
    }
    try {
      const path = pathOf(resource, resource.namespaced ? namespace : undefined, owner.name);
      const found = await this.context.client.request<KubeObject>("GET", path);
      return found.metadata.uid === owner.uid;
    } catch (error) {
      if (hasStatus(error, 404)) return false;
      throw error;
    }
  }

  private dependentsOf(uid: string): Entry[] {
    return [...(this.dependents.get(uid) ?? [])].flatMap((dependent) => this.entries.get(dependent) ?? []);
  }

  private async deleteDependents(owner: Entry): Promise<void> {
    const { uid } = owner.object.metadata;
    const blocking = this.dependentsOf(uid).filter(({ object }) =>
      object.metadata.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion),
    );
    if (blocking.length === 0) return this.removeFinalizer(owner, foreground);
    for (const dependent of blocking) {
      if (dependent.object.metadata.deletionTimestamp === undefined) await this.delete(dependent, "Foreground");
    }
  }

  private async orphanDependents(owner: Entry): Promise<void> {
    const { uid } = owner.object.metadata;
    for (const dependent of this.dependentsOf(uid)) {
      const { metadata } = dependent.object;
      const ownerReferences = (metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
      await this.patch(dependent, { metadata: { ownerReferences, resourceVersion: metadata.resourceVersion } });
    }
    await this.removeFinalizer(owner, orphan);
  }

  private async removeFinalizer(entry: Entry, finalizer: string): Promise<void> {
    const { finalizers = [], resourceVersion } = entry.object.metadata;
    await this.patch(entry, {
      metadata: { finalizers: finalizers.filter((name) => name !== finalizer), resourceVersion },
    });
  }

  private async patch({ resource, object: { metadata } }: Entry, body: unknown): Promise<void> {
    try {
      await this.context.client.request("PATCH", pathOf(resource, metadata.namespace, metadata.name), {
        patch: "merge",
        body,
      });
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }

  private async delete(
    { resource, object: { metadata } }: Entry,
    propagationPolicy: "Background" | "Foreground",
  ): Promise<void> {
    const { uid, namespace, name } = metadata;
    try {
      await this.context.client.request("DELETE", pathOf(resource, namespace, name), {
        body: { preconditions: { uid }, propagationPolicy },
      });
    } catch (error) {
      if (!hasStatus(error, 404, 409)) throw error; // gone, or another object by now
    }
  }
}
