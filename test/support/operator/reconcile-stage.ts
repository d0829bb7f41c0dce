import type { ModelDeploymentStatus } from "../../../operator/api/status.ts";
import type { ReconcileResult } from "../../../operator/kube/controller.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import type { AliasReference, AliasState } from "../../../operator/plan/aliases.ts";
import type { LoadedModel } from "../../../operator/plan/observed.ts";
import { Cluster } from "../../../operator/reconcile/cluster.ts";
import { Reconciler } from "../../../operator/reconcile/reconciler.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { FakeClock } from "../fake-clock.ts";
import { modelDeploymentObject } from "./model-deployment.ts";
import { RecordingClient } from "./recording-client.ts";
import { SETTINGS } from "./simulated-cluster.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** An operator whose caches always know what its client wrote. */
export class Stage {
  readonly client = new RecordingClient();
  readonly clock = new FakeClock();
  readonly events: string[] = [];
  alias: AliasState = {};
  /** What each ready pod says of its model. */
  loaded: LoadedModel = {};
  followed: readonly AliasReference[] = [];
  lastResult: ReconcileResult = {};
  readonly #reconciler: Reconciler;
  #generation = 0;

  constructor(spec: object) {
    this.change(spec);
    this.#reconciler = new Reconciler({
      world: { observe: () => this.#observe() },
      aliases: {
        follow: (_object, references) => (this.followed = references),
        stateOf: () => this.alias,
      },
      cluster: new Cluster(this.client, () => {}),
      readRouters: async () => [],
      models: { of: (_key, pods) => new Map(pods.map(({ metadata }) => [metadata.uid ?? "", this.loaded])) },
      complaints: { read: async () => ({ complaints: new Map() }) },
      events: { record: (_about, { reason }) => this.events.push(reason) },
      settings: SETTINGS,
      clock: this.clock,
      log: quiet,
    });
  }

  change(spec: object): void {
    this.#generation += 1;
    const { status } = this.object ?? {};
    const object = { ...modelDeploymentObject({}, { generation: this.#generation }), spec };
    this.client.put({ ...object, ...(status && { status }) });
  }

  get object(): (KubeObject & { status?: ModelDeploymentStatus }) | undefined {
    return this.client.objects.get("ModelDeployment/loan");
  }

  get deployments(): string[] {
    return [...this.client.objects.keys()].filter((key) => key.startsWith("Deployment/"));
  }

  /** One pass, and those that it wants at once; what they wrote, in order. */
  async reconcile(): Promise<string[]> {
    const writes = await this.pass();
    return this.lastResult.requeueAfterMs === 0 ? [...writes, ...(await this.reconcile())] : writes;
  }

  async pass(): Promise<string[]> {
    const from = this.client.writes.length;
    this.lastResult = await this.#reconciler.reconcile({ namespace: "credit", name: "loan" });
    return this.client.writes.slice(from);
  }

  podsBecomeReady(): void {
    for (const key of this.deployments) {
      const deployment = this.client.objects.get(key) as KubeObject & { spec: { replicas: number } };
      const readyReplicas = deployment.spec.replicas;
      this.client.put({ ...deployment, status: { readyReplicas } } as KubeObject);
    }
  }

  async live(): Promise<this> {
    await this.reconcile();
    this.podsBecomeReady();
    await this.reconcile();
    return this;
  }

  reason(type: string): string | undefined {
    return this.object?.status?.conditions?.find((condition) => condition.type === type)?.reason;
  }

  #observe() {
    if (this.object === undefined) return undefined;
    const children = [...this.client.objects.values()].filter(({ kind }) => kind !== "ModelDeployment");
    return { object: this.object, children, pods: children.flatMap(readyPod) };
  }
}

/** One of a Deployment's pods, once these are ready. */
function readyPod(child: KubeObject): Pod[] {
  const { metadata, status } = child as KubeObject & { status?: { readyReplicas?: number } };
  if (child.kind !== "Deployment" || !status?.readyReplicas) return [];
  const { labels, name } = metadata;
  const conditions = [{ type: "Ready", status: "True" }];
  const pod = { name: `${name}-pod`, namespace: "credit", uid: `uid-${name}-pod`, ...(labels && { labels }) };
  return [{ apiVersion: "v1", kind: "Pod", metadata: pod, status: { conditions } }];
}
