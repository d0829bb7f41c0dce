import type { V1Deployment, V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { serverSideApply } from "../../operator/kube/apply.ts";
import { systemClock } from "../../operator/kube/clock.ts";
import { Informer } from "../../operator/kube/informer.ts";
import { collectionPath, objectPath } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import type { KubeClient } from "../../operator/kube/transport.ts";
import { childTypes, modelDeployments } from "../../operator/reconcile/resource-types.ts";
import type { ModelDeploymentStatus } from "../../operator/api/status.ts";
import { autoscalerFailure } from "../../operator/status/autoscaler-failure.ts";
import { namespaces } from "../../test/support/resource-types.ts";
import { inParallel } from "./in-parallel.ts";

type ModelDeployment = KubeObject & { status?: ModelDeploymentStatus };
type Deployment = V1Deployment & KubeObject;
type Autoscaler = V2HorizontalPodAutoscaler & KubeObject;

/** Creations at once: more than one client of a busy cluster makes. */
const PARALLEL = 16;
/** Kinds of children that one version under an HPA has: two Services among them. */
const CHILDREN = 5;

/** When something was first seen, in ms on performance.now()'s clock. */
interface Seen {
  /** All children of the object exist. */
  children?: number;
  /** Its Deployment has the pods that it asks for. */
  pods?: number;
  /** The object is Ready. */
  ready?: number;
}

/** How long it took, in seconds from the first creation, until the last object had this. */
export interface Wave {
  readonly children: number;
  readonly pods: number;
  readonly ready: number;
  /** From an object's pods to its being Ready, in ms. */
  readonly lagMs: readonly number[];
}

export interface FleetOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Where nobody runs pods, Deployments are told that they have what they ask for. */
  readonly playsController: boolean;
}

/** Many ModelDeployments with an HPA each, and when what of them was seen. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #informers: readonly Informer<KubeObject>[];
  readonly #children = new Map<string, Set<string>>();
  readonly #seen = new Map<string, Seen>();
  /** What each object's HPA says of itself, once it was looked at. */
  readonly #autoscalers = new Map<string, "Scales" | "DoesNotScale">();
  /** Objects whose status says that their HPA does not scale. */
  readonly #told = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #awaited: { prefix: string; maxReplicas: number; resolve: (at: number) => void } | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { client, namespace } = options;
    const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const informers = [modelDeployments, ...childTypes].map(
      (type) =>
        new Informer<KubeObject>({
          client,
          type,
          namespaces: [namespace],
          trim: whatIsRead,
          clock: systemClock,
          log: quiet,
        }),
    );
    for (const informer of informers)
      informer.onChange((_key, _old, current) => {
        if (current !== undefined) this.#see(current);
      });
    this.#informers = informers;
  }

  async start(): Promise<void> {
    const { client, namespace } = this.#options;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    await client.request("POST", collectionPath(namespaces), { body });
    for (const informer of this.#informers) informer.start();
    await Promise.all(this.#informers.map((informer) => informer.synced()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    const { client, namespace } = this.#options;
    await client.request("DELETE", objectPath(namespaces, { namespace: "", name: namespace }));
  }

  /** Creates them and waits until `holds` of each; the seconds from the first creation to the last of these. */
  async create(names: readonly string[], report: (text: string) => void): Promise<Wave> {
    const began = performance.now();
    await inParallel(names, PARALLEL, (name) => this.apply(name, 3));
    report(`${names.length} created in ${seconds(performance.now() - began)} s`);
    await this.#until(names, "children");
    report(`all children after ${seconds(performance.now() - began)} s`);
    await this.#until(names, "ready");
    report(`all Ready after ${seconds(performance.now() - began)} s`);
    const last = (what: keyof Seen): number =>
      (Math.max(...names.map((name) => this.#seen.get(name)?.[what] ?? Number.NaN)) - began) / 1000;
    const lagMs = names.map((name) => {
      const { ready = 0, pods = 0 } = this.#seen.get(name) ?? {};
      return ready - pods;
    });
    return { children: last("children"), pods: last("pods"), ready: last("ready"), lagMs };
  }

  async apply(name: string, maxReplicas: number): Promise<KubeObject> {
    const { client, namespace } = this.#options;
    const object = {
      apiVersion: "serving.slipway.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name, namespace },
      spec: {
        source: { uri: "s3://models/loan/1/" },
        serving: { autoscaling: { minReplicas: 1, maxReplicas, targetCPUUtilizationPercentage: 70 } },
      },
    };
    return serverSideApply(client, modelDeployments, object, { fieldManager: "bench", force: true });
  }

  /** Milliseconds from the API server's answer to a change of the object's spec until a watch sees its HPA changed. */
  async change(name: string, maxReplicas: number): Promise<number> {
    const changed = Promise.withResolvers<number>();
    this.#awaited = { prefix: `${name}-v1-`, maxReplicas, resolve: changed.resolve };
    await this.apply(name, maxReplicas);
    const began = performance.now();
    return Math.max(0, (await changed.promise) - began); // the watch may tell before the answer does
  }

  /** How many HPAs are not looked at yet, or do not scale without their object's saying so. */
  untold(): number {
    if (this.#options.playsController) return 0; // nobody looks at HPAs
    const isTold = (name: string): boolean =>
      this.#autoscalers.get(name) === "Scales" || (this.#autoscalers.has(name) && this.#told.has(name));
    return [...this.#children.keys()].filter((name) => !isTold(name)).length;
  }

  #see(object: KubeObject): void {
    if (object.kind === "ModelDeployment") {
      this.#seeObject(object);
      return;
    }
    const owner = object.metadata.ownerReferences?.[0]?.name;
    if (owner === undefined) return;
    const children = this.#children.getOrInsertComputed(owner, () => new Set());
    children.add(`${object.kind}/${object.metadata.name}`);
    if (children.size === CHILDREN) this.#mark(owner, "children");
    if (object.kind === "Deployment") this.#seeDeployment(object as Deployment, owner);
    if (object.kind === "HorizontalPodAutoscaler") this.#seeAutoscaler(object as Autoscaler, owner);
  }

  #seeObject({ metadata: { name }, status }: ModelDeployment): void {
    if (status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"))
      this.#mark(name, "ready");
    if (status?.revisions?.some(({ reason }) => reason === "NotScaling")) this.#told.add(name);
    else this.#told.delete(name);
  }

  #seeAutoscaler({ metadata, spec, status }: Autoscaler, owner: string): void {
    const { conditions = [] } = status ?? {};
    const doesNotScale = autoscalerFailure(conditions, undefined, Number.POSITIVE_INFINITY) !== undefined;
    if (conditions.length > 0) this.#autoscalers.set(owner, doesNotScale ? "DoesNotScale" : "Scales");
    const awaited = this.#awaited;
    if (awaited === undefined || !metadata.name.startsWith(awaited.prefix)) return;
    if (spec?.maxReplicas === awaited.maxReplicas) awaited.resolve(performance.now());
  }

  #seeDeployment({ metadata, spec, status }: Deployment, owner: string): void {
    const wanted = spec?.replicas ?? 1;
    if ((status?.readyReplicas ?? 0) >= wanted) this.#mark(owner, "pods");
    else if (this.#options.playsController) void this.#givePods(metadata, wanted);
  }

  async #givePods({ name, namespace = "", generation = 1 }: KubeObject["metadata"], replicas: number): Promise<void> {
    const [deployments] = childTypes.filter(({ kind }) => kind === "Deployment");
    if (deployments === undefined) throw new Error("Deployments are no children any more");
    const counts = { replicas, readyReplicas: replicas, availableReplicas: replicas, updatedReplicas: replicas };
    await this.#options.client.request("PATCH", objectPath(deployments, { namespace, name }, "status"), {
      contentType: "application/merge-patch+json",
      body: { status: { observedGeneration: generation, ...counts } },
    });
  }

  #mark(name: string, what: keyof Seen): void {
    const seen = this.#seen.getOrInsertComputed(name, () => ({}));
    if (seen[what] !== undefined) return;
    seen[what] = performance.now();
    for (const wake of this.#waiting) wake();
  }

  async #until(names: readonly string[], what: keyof Seen): Promise<void> {
    let next = 0;
    const isDone = (): boolean => {
      while (next < names.length && this.#seen.get(names[next] ?? "")?.[what] !== undefined) next += 1;
      return next === names.length;
    };
    if (isDone()) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        if (!isDone()) return;
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}

type Any = KubeObject & {
  spec?: { replicas?: number; maxReplicas?: number };
  status?: Record<string, unknown>;
};

/** Of 10,000 objects and five times as many children, whose templates and records would fill this process instead of the operator. */
function whatIsRead({ metadata, spec, status, ...type }: Any): Any {
  const { annotations: _annotations, managedFields: _fields, ...kept } = metadata;
  const { replicas, maxReplicas } = spec ?? {};
  const { rollout: _rollout, ...told } = status ?? {};
  return {
    ...type,
    metadata: kept,
    spec: { ...(replicas !== undefined && { replicas }), ...(maxReplicas !== undefined && { maxReplicas }) },
    status: told,
  };
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
