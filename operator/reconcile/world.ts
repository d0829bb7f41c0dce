import type { V1Pod } from "@kubernetes/client-node";
import { LABELS, MANAGED_BY } from "../api/names.ts";
import type { Clock } from "../kube/clock.ts";
import { Informer } from "../kube/informer.ts";
import type { Log } from "../kube/log.ts";
import { formatKey, keyOf, pods } from "../kube/objects.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import { byLabel } from "../kube/store.ts";
import type { KubeClient } from "../kube/transport.ts";
import type { Turn } from "../kube/work-queue.ts";
import { keptOfChild, keptOfPod } from "./kept-fields.ts";
import { RecentWrites } from "./recent-writes.ts";
import { childTypes, modelDeployments } from "./resource-types.ts";
import { turnOf } from "./turn.ts";
import type { Change } from "./turn.ts";

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
  readonly #handlers: ((key: ObjectKey, turn: Turn) => void)[] = [];

  constructor(options: WorldOptions) {
    this.#recent = new RecentWrites(options.clock);
    const labelled = {
      ...options,
      labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
      indexes: { object: byLabel(LABELS.modelDeployment) },
    };
    this.#modelDeployments = new Informer<KubeObject>({ ...options, type: modelDeployments });
    this.#children = childTypes.map((type) => new Informer<KubeObject>({ ...labelled, type, trim: keptOfChild }));
    this.#pods = new Informer<Pod>({ ...labelled, type: pods, trim: keptOfPod });
    for (const informer of this.#all()) informer.onChange((_key, old, current) => this.#tell(old, current));
  }

  /** Tells which ModelDeployment to look at again whenever anything of it changed, and how soon. */
  onChange(handler: (key: ObjectKey, turn: Turn) => void): void {
    this.#handlers.push(handler);
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

  #tell(old: KubeObject | undefined, current: KubeObject | undefined): void {
    const isOurs = this.#recent.caughtUp(current ?? old, current === undefined);
    const turn = turnOf({ old, current, isOurs });
    if (turn === undefined) return;
    for (const key of keysOf({ old, current })) for (const handler of this.#handlers) handler(key, turn);
  }

  #all(): Pick<Informer<KubeObject>, "start" | "stop" | "synced" | "hasSynced" | "onChange">[] {
    return [this.#modelDeployments, ...this.#children, this.#pods];
  }
}

/** The ModelDeployments that the object is, or that it bears or bore the label of. */
function keysOf({ old, current }: Omit<Change, "isOurs">): ObjectKey[] {
  const states = [old, current].filter((state) => state !== undefined);
  const names = new Set(states.map(nameOf));
  const [any] = states;
  return any === undefined ? [] : [...names].flatMap((name) => (name === undefined ? [] : [{ ...keyOf(any), name }]));
}

function nameOf({ kind, metadata }: KubeObject): string | undefined {
  return kind === modelDeployments.kind ? metadata.name : metadata.labels?.[LABELS.modelDeployment];
}
