import type { V1Pod } from "@kubernetes/client-node";
import { LABELS, MANAGED_BY } from "../api/names.ts";
import type { Clock } from "../kube/clock.ts";
import { Informer } from "../kube/informer.ts";
import type { Log } from "../kube/log.ts";
import { formatKey, keyOf, pods } from "../kube/objects.ts";
import type { KubeObject, ObjectKey, ResourceType } from "../kube/objects.ts";
import type { Priority } from "../kube/priority-lanes.ts";
import { byLabel } from "../kube/store.ts";
import type { KubeClient } from "../kube/transport.ts";
import { RecentWrites } from "./recent-writes.ts";
import { replicasOwners } from "./replicas-owners.ts";
import { childTypes, modelDeployments } from "./resource-types.ts";

/** A pod as the API server gives it: client-node's types, but for the times, which are text. Nobody reads its spec, so it is not kept. */
export type Pod = Omit<V1Pod, "spec"> & KubeObject;

/** One ModelDeployment and everything that bears its label, as last seen. */
export interface Sighting {
  readonly object: KubeObject;
  /** Ours or not: see `isOurs`. */
  readonly children: readonly KubeObject[];
  readonly pods: readonly Pod[];
}

export interface WorldOptions {
  readonly client: KubeClient;
  readonly namespaces: readonly string[] | "all";
  readonly clock: Clock;
  readonly log: Log;
}

/** What the operator knows of the cluster: caches kept current by watches, and its own writes that they lag behind. */
export class World {
  readonly #modelDeployments: Informer<KubeObject>;
  readonly #children: readonly Informer<KubeObject>[];
  readonly #pods: Informer<Pod>;
  readonly #recent: RecentWrites;

  constructor(options: WorldOptions) {
    this.#recent = new RecentWrites(options.clock);
    const labelled = {
      ...options,
      labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
      indexes: { object: byLabel(LABELS.modelDeployment) },
    };
    this.#modelDeployments = this.#caughtUpBy(new Informer<KubeObject>({ ...options, type: modelDeployments }));
    this.#children = childTypes.map((type) => this.#childInformer(type, labelled));
    this.#pods = new Informer<Pod>({ ...labelled, type: pods, trim: keepStatus });
  }

  /** Tells which ModelDeployment to look at again whenever anything of it changed, and how soon. */
  onChange(handler: (key: ObjectKey, priority: Priority) => void): void {
    this.#modelDeployments.onChange((key, old) => handler(key, priorityOf(old)));
    for (const informer of [...this.#children, this.#pods])
      informer.onChange((_key, old, current) => {
        for (const object of [old, current]) {
          const name = object?.metadata.labels?.[LABELS.modelDeployment];
          if (object !== undefined && name !== undefined) handler({ ...keyOf(object), name }, priorityOf(old));
        }
      });
  }

  start(): void {
    for (const informer of this.#all()) informer.start();
  }

  async synced(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.synced()));
  }

  get hasSynced(): boolean {
    return this.#all().every(({ hasSynced }) => hasSynced);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.stop()));
  }

  keys(): ObjectKey[] {
    return this.#modelDeployments.store.list().map(keyOf);
  }

  objects(): KubeObject[] {
    return this.#modelDeployments.store.list();
  }

  /** Cache reads only. Undefined when the object is gone. */
  observe(key: ObjectKey): Sighting | undefined {
    const cached = this.#modelDeployments.store.get(key);
    if (cached === undefined) return undefined;
    const label = formatKey(key);
    const children = this.#children.flatMap((informer) => informer.store.byIndex("object", label));
    return {
      object: this.#recent.newer(cached),
      children: this.#recent.merge(label, children),
      pods: this.#pods.store.byIndex("object", label),
    };
  }

  /** The answer to a write, which counts until the watch has caught up with it. */
  remember(written: KubeObject): void {
    this.#recent.add(written);
  }

  #childInformer(type: ResourceType, options: WorldOptions & { labelSelector: string }): Informer<KubeObject> {
    const indexes = { object: byLabel(LABELS.modelDeployment) };
    return this.#caughtUpBy(new Informer<KubeObject>({ ...options, indexes, type, trim: keepReplicasOwners }));
  }

  #caughtUpBy(informer: Informer<KubeObject>): Informer<KubeObject> {
    informer.onChange((_key, old, current) => this.#recent.caughtUp(current ?? old, current === undefined));
    return informer;
  }

  #all(): Pick<Informer<KubeObject>, "start" | "stop" | "synced" | "hasSynced">[] {
    return [this.#modelDeployments, ...this.#children, this.#pods];
  }
}

/** A thousand new objects, and the children that we just made ourselves, must not stand before the one whose pods became ready. */
function priorityOf(old: KubeObject | undefined): Priority {
  return old === undefined ? "low" : "normal";
}

/** The spec is most of a pod, and most objects are pods. */
function keepStatus({ spec: _spec, ...pod }: Pod & Pick<V1Pod, "spec">): Pod {
  const { managedFields: _fields, ...metadata } = pod.metadata;
  return { ...pod, metadata };
}

/** Of all managed fields only who owns `spec.replicas` matters here; the rest is most of a cache's memory. */
function keepReplicasOwners(object: KubeObject): KubeObject {
  const owners = replicasOwners(object).map(({ fieldsV1: _fields, ...entry }) => entry);
  return { ...object, metadata: { ...object.metadata, managedFields: owners } };
}
