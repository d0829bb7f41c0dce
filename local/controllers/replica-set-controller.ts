import { hasStatus } from "../cluster/client.ts";
import { keyOf, kubeTime, type Pod } from "../cluster/objects.ts";
import { sameJson } from "../api-server/objects.ts";
import { matchesSelector } from "../api-server/selector.ts";
import { splitKey, type ControllerContext, type RunningController } from "./context.ts";
import {
  availableIn,
  controllerReference,
  controllerUid,
  isActive,
  isReady,
  withCondition,
  type ReplicaSet,
  type ReplicaSetStatus,
} from "./objects.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";
import { replaceStatus } from "./replace-status.ts";

const component = "replicaset-controller";
const unseenPatienceMs = 30_000;

/** Keeps as many pods as each ReplicaSet asks for. */
export function startReplicaSetController(context: ControllerContext): RunningController {
  const controller = new ReplicaSetController(context);
  const { replicaSets, pods } = context.view;
  replicaSets.subscribe(({ object }) => controller.loop.add(keyOf(object)));
  pods.subscribe(({ type, object }) => {
    controller.seen(object, type === "deleted");
    const owner = object.metadata.ownerReferences?.find((reference) => reference.controller);
    if (owner?.kind === "ReplicaSet") controller.loop.add(`${object.metadata.namespace}/${owner.name}`);
  });
  for (const replicaSet of replicaSets.list()) controller.loop.add(keyOf(replicaSet));
  return controller.loop;
}

class ReplicaSetController {
  readonly loop: ReconcileLoop;
  private readonly context: ControllerContext;
  /** Pods that were made or deleted and that the local copy does not show yet: acting again would make or delete too many. */
  private readonly unseen = new Map<string, { since: number; created: Set<string>; deleted: Set<string> }>();

  constructor(context: ControllerContext) {
    this.context = context;
    this.loop = new ReconcileLoop("replicaset", (key) => this.reconcile(key), context.logger);
  }

  seen(pod: Pod, isGone: boolean): void {
    const waiting = this.unseen.get(controllerUid(pod) ?? "");
    waiting?.created.delete(pod.metadata.uid);
    if (isGone || pod.metadata.deletionTimestamp !== undefined) waiting?.deleted.delete(pod.metadata.uid);
  }

  private async reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const replicaSet = this.context.view.replicaSets.get(namespace, name);
    if (replicaSet === undefined) return;
    const { uid } = replicaSet.metadata;
    const owned = this.context.view.pods.list().filter((pod) => controllerUid(pod) === uid);
    const active = owned.filter(isActive);
    let failure: string | undefined;
    if (!this.isBehind(uid) && replicaSet.metadata.deletionTimestamp === undefined) {
      failure = await this.manage(replicaSet, active);
    }
    await this.writeStatus(replicaSet, owned, failure);
  }

  /** Whether the local copy still misses what was done before. A pod that came and went unseen is not waited for for ever. */
  private isBehind(uid: string): boolean {
    const waiting = this.unseen.get(uid);
    if (waiting === undefined || waiting.created.size + waiting.deleted.size === 0) return false;
    return this.context.now() - waiting.since < unseenPatienceMs;
  }

  /** Creates or deletes pods until there are as many as wanted; returns why pods could not be made. */
  private async manage(replicaSet: ReplicaSet, active: readonly Pod[]): Promise<string | undefined> {
    const missing = replicaSet.spec.replicas - active.length;
    if (missing === 0) return undefined;
    const unseen = { since: this.context.now(), created: new Set<string>(), deleted: new Set<string>() };
    this.unseen.set(replicaSet.metadata.uid, unseen);
    if (missing < 0) {
      for (const pod of leastWanted(active).slice(0, -missing)) await this.remove(replicaSet, pod, unseen.deleted);
      return undefined;
    }
    try {
      for (let count = 0; count < missing; count++) await this.create(replicaSet, unseen.created);
      return undefined;
    } catch (error) {
      if (!hasStatus(error, 400, 403, 422) || !(error instanceof Error)) throw error;
      this.event(replicaSet, "Warning", "FailedCreate", `Error creating: ${error.message}`);
      this.loop.addAfter(keyOf(replicaSet), 1000);
      return error.message;
    }
  }

  private async create(replicaSet: ReplicaSet, unseen: Set<string>): Promise<void> {
    const { namespace = "", name } = replicaSet.metadata;
    const { metadata = {}, spec } = replicaSet.spec.template;
    const pod = await this.context.client.request<Pod>("POST", `/api/v1/namespaces/${namespace}/pods`, {
      body: {
        metadata: {
          ...metadata,
          generateName: `${name}-`,
          namespace,
          ownerReferences: [controllerReference(replicaSet, "apps/v1", "ReplicaSet")],
        },
        spec,
      },
    });
    if (this.context.view.pods.get(namespace, pod.metadata.name)?.metadata.uid !== pod.metadata.uid)
      unseen.add(pod.metadata.uid);
    this.event(replicaSet, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
  }

  private async remove(replicaSet: ReplicaSet, pod: Pod, unseen: Set<string>): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    unseen.add(uid);
    try {
      await this.context.client.request("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, {
        body: { preconditions: { uid } },
      });
    } catch (error) {
      unseen.delete(uid);
      if (!hasStatus(error, 404, 409)) throw error;
      return;
    }
    this.event(replicaSet, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  }

  private async writeStatus(replicaSet: ReplicaSet, owned: readonly Pod[], failure: string | undefined): Promise<void> {
    const { namespace, name, uid, generation } = replicaSet.metadata;
    const now = this.context.now();
    const active = owned.filter(isActive);
    const waits = active.map((pod) => availableIn(pod, replicaSet.spec.minReadySeconds ?? 0, now));
    const soonest = waits.filter((wait) => wait !== undefined && wait > 0).sort((a = 0, b = 0) => a - b)[0];
    if (soonest !== undefined) this.loop.addAfter(keyOf(replicaSet), soonest);
    const status: ReplicaSetStatus = {
      replicas: active.length,
      ...counted(
        "fullyLabeledReplicas",
        active.filter((pod) =>
          matchesSelector({ matchLabels: replicaSet.spec.template.metadata?.labels ?? {} }, pod.metadata.labels),
        ).length,
      ),
      ...counted("readyReplicas", active.filter(isReady).length),
      ...counted("availableReplicas", waits.filter((wait) => wait === 0).length),
      terminatingReplicas: owned.filter((pod) => pod.metadata.deletionTimestamp !== undefined).length,
      ...(generation !== undefined && { observedGeneration: generation }),
      ...this.failureCondition(replicaSet, failure, now),
    };
    if (sameJson(status, replicaSet.status)) return;
    const path = `/apis/apps/v1/namespaces/${namespace}/replicasets/${name}`;
    await replaceStatus(this.context.client, path, uid, status);
  }

  private failureCondition(
    replicaSet: ReplicaSet,
    failure: string | undefined,
    now: number,
  ): Pick<ReplicaSetStatus, "conditions"> {
    if (failure === undefined) return {};
    const condition = {
      type: "ReplicaFailure",
      status: "True",
      reason: "FailedCreate",
      message: failure,
      lastTransitionTime: kubeTime(now),
    } as const;
    return { conditions: withCondition(replicaSet.status?.conditions ?? [], condition) };
  }

  private event(replicaSet: ReplicaSet, type: "Normal" | "Warning", reason: string, message: string): void {
    this.context.events.record(
      component,
      { apiVersion: "apps/v1", kind: "ReplicaSet", object: replicaSet },
      type,
      reason,
      message,
    );
  }
}

/** A count that the real controller leaves out when it is zero. */
function counted<Name extends string>(name: Name, count: number): { [Key in Name]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { [Key in Name]?: number });
}

/** Pods in the order in which they are given up: unassigned, pending and unready ones first, then the youngest. */
function leastWanted(pods: readonly Pod[]): Pod[] {
  const rank = (pod: Pod): number => {
    if (!pod.spec.nodeName) return 0;
    if (pod.status?.phase !== "Running") return 1;
    return isReady(pod) ? 3 : 2;
  };
  const born = (pod: Pod): string => pod.metadata.creationTimestamp ?? "";
  return [...pods].sort((a, b) => rank(a) - rank(b) || born(b).localeCompare(born(a)));
}
