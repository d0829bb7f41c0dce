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
    await this.collectOwned(entry);
  }

  /** Deletes what has no owner any more; an owner that is gone, or only waits for its dependents, is no reason to stay. */
  private async collectOwned(entry: Entry): Promise<void> {
    const { uid, namespace, finalizers = [], ownerReferences = [] } = entry.object.metadata;
    if (ownerReferences.length === 0) return;
    const states = await Promise.all(ownerReferences.map((owner) => this.ownerState(owner, namespace)));
    const kept = ownerReferences.filter((_, index) => states[index] === "stays");
    if (kept.length === ownerReferences.length) return;
    if (kept.length > 0) return this.setOwners(entry, kept);
    const dependents = this.dependentsOf(uid);
    if (states.includes("waits") && dependents.length > 0) {
      // In a circle of owners somebody has to stop waiting.
      if (dependents.some(({ object }) => isWaiting(object))) await this.unblockOwners(entry);
      return this.delete(entry, "Foreground");
    }
    const policies = { [orphan]: "Orphan", [foreground]: "Foreground" } as const;
    const own = [orphan, foreground].find((name) => finalizers.includes(name));
    await this.delete(entry, own === undefined ? "Background" : policies[own as keyof typeof policies]);
  }

  /** The local copy may be behind, so an owner is gone only when the server says so. */
  private async ownerState(
    owner: OwnerReference,
    namespace: string | undefined,
  ): Promise<"stays" | "waits" | "is gone"> {
    const known = this.entries.get(owner.uid)?.object;
    if (known && (known.metadata.namespace === undefined || known.metadata.namespace === namespace))
      return isWaiting(known) ? "waits" : "stays";
    const resource = this.all.find(owner.apiVersion, owner.kind);
    if (resource === undefined) {
      // Discovery may be behind: nothing is deleted on a guess, and the loop tries again.
      throw new Error(
        `looking for the owner ${owner.kind} ${owner.name}: the server does not serve ${owner.apiVersion}`,
      );
    }
    if (resource.namespaced && namespace === undefined) return "stays"; // in which namespace, nobody can tell
    try {
      const path = pathOf(resource, resource.namespaced ? namespace : undefined, owner.name);
      const found = await this.context.client.request<KubeObject>("GET", path);
      if (found.metadata.uid !== owner.uid) return "is gone";
      return isWaiting(found) ? "waits" : "stays";
    } catch (error) {
      if (hasStatus(error, 404)) return "is gone";
      throw error;
    }
  }

  private dependentsOf(uid: string): Entry[] {
    return [...(this.dependents.get(uid) ?? [])].flatMap((dependent) => this.entries.get(dependent) ?? []);
  }

  private async deleteDependents(owner: Entry): Promise<void> {
    const { uid } = owner.object.metadata;
    const dependents = this.dependentsOf(uid);
    const blocking = dependents.filter(({ object }) =>
      object.metadata.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion),
    );
    if (blocking.length === 0) await this.removeFinalizer(owner, foreground);
    for (const { object } of dependents) this.loop.add(object.metadata.uid);
  }

  private async orphanDependents(owner: Entry): Promise<void> {
    const { uid } = owner.object.metadata;
    for (const dependent of this.dependentsOf(uid)) {
      const { ownerReferences = [] } = dependent.object.metadata;
      await this.setOwners(
        dependent,
        ownerReferences.filter((reference) => reference.uid !== uid),
      );
    }
    await this.removeFinalizer(owner, orphan);
  }

  private async unblockOwners(entry: Entry): Promise<void> {
    const { ownerReferences = [] } = entry.object.metadata;
    await this.setOwners(
      entry,
      ownerReferences.map((reference) => ({ ...reference, blockOwnerDeletion: false })),
    );
  }

  private async setOwners(entry: Entry, ownerReferences: readonly OwnerReference[]): Promise<void> {
    const { resourceVersion } = entry.object.metadata;
    await this.patch(entry, { metadata: { ownerReferences, resourceVersion } });
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
    propagationPolicy: "Background" | "Foreground" | "Orphan",
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

/** Whether an object is deleted as soon as its dependents are. */
function isWaiting({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(foreground) === true;
}
