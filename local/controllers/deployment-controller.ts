import { sameJson } from "../api-server/objects.ts";
import { hasStatus } from "../cluster/client.ts";
import { keyOf } from "../cluster/objects.ts";
import { splitKey, type ControllerContext, type RunningController } from "./context.ts";
import { deploymentStatus } from "./deployment-status.ts";
import {
  controllerReference,
  controllerUid,
  isActive,
  scaledValue,
  type Deployment,
  type ReplicaSet,
} from "./objects.ts";
import { podTemplateHash, templateHashLabel, withHash, withoutHash } from "./pod-template-hash.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";
import { replaceStatus } from "./replace-status.ts";

const component = "deployment-controller";
const revisionAnnotation = "deployment.kubernetes.io/revision";

/** Rolls each Deployment from its old ReplicaSets to the one of its present template. */
export function startDeploymentController(context: ControllerContext): RunningController {
  const controller = new DeploymentController(context);
  const { deployments, replicaSets, pods } = context.view;
  deployments.subscribe(({ object }) => controller.loop.add(keyOf(object)));
  replicaSets.subscribe(({ object }) => {
    const owner = object.metadata.ownerReferences?.find(
      (reference) => reference.controller && reference.kind === "Deployment",
    );
    if (owner) controller.loop.add(`${object.metadata.namespace}/${owner.name}`);
  });
  pods.subscribe(({ type, object }) => {
    if (type === "deleted") controller.podGone(object.metadata.namespace, controllerUid(object));
  });
  for (const deployment of deployments.list()) controller.loop.add(keyOf(deployment));
  return controller.loop;
}

class DeploymentController {
  readonly loop: ReconcileLoop;
  private readonly context: ControllerContext;

  constructor(context: ControllerContext) {
    this.context = context;
    this.loop = new ReconcileLoop("deployment", (key) => this.reconcile(key), context.logger);
  }

  /** With the Recreate strategy the next step waits for pods to be gone. */
  podGone(namespace: string, replicaSetUid: string | undefined): void {
    const replicaSet = this.context.view.replicaSets.list().find(({ metadata }) => metadata.uid === replicaSetUid);
    const owner = replicaSet?.metadata.ownerReferences?.find((reference) => reference.controller);
    if (owner) this.loop.add(`${namespace}/${owner.name}`);
  }

  private async reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const deployment = this.context.view.deployments.get(namespace, name);
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return;
    const owned = this.context.view.replicaSets
      .list()
      .filter((replicaSet) => controllerUid(replicaSet) === deployment.metadata.uid);
    const current = owned.find((replicaSet) =>
      sameJson(withoutHash(replicaSet.spec.template), withoutHash(deployment.spec.template)),
    );
    const old = owned.filter((replicaSet) => replicaSet !== current);

    let fresh = current;
    if (deployment.spec.paused) await this.scaleWhilePaused(deployment, owned);
    else if (deployment.spec.strategy.type === "Recreate") fresh = await this.recreate(deployment, current, old);
    else fresh = await this.roll(deployment, current, old);
    if (isComplete(deployment, fresh, old)) await this.forgetHistory(deployment, old);
    await this.writeStatus(deployment, fresh, old);
  }

  private async roll(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet> {
    const wanted = deployment.spec.replicas;
    const { maxSurge, maxUnavailable } = limits(deployment);
    const oldReplicas = sum(old, (replicaSet) => replicaSet.spec.replicas);
    const room = Math.max(0, wanted + maxSurge - oldReplicas);
    if (current === undefined) return this.createReplicaSet(deployment, old, Math.min(wanted, room));

    const grown = current.spec.replicas > wanted ? wanted : Math.max(current.spec.replicas, Math.min(wanted, room));
    const fresh = await this.scale(deployment, await this.syncRevision(deployment, current, old), grown);
    await this.scaleDownOld(deployment, fresh, old, wanted - maxUnavailable);
    return fresh;
  }

  /** Old pods that are not available go first and at once; the others as the new ones become available. */
  private async scaleDownOld(
    deployment: Deployment,
    fresh: ReplicaSet,
    old: readonly ReplicaSet[],
    minimum: number,
  ): Promise<void> {
    const oldReplicas = sum(old, (replicaSet) => replicaSet.spec.replicas);
    if (oldReplicas === 0) return;
    const unavailableNew = fresh.spec.replicas - (fresh.status?.availableReplicas ?? 0);
    let removable = Math.max(0, oldReplicas + fresh.spec.replicas - minimum - unavailableNew);
    const targets = new Map(old.map((replicaSet) => [replicaSet, replicaSet.spec.replicas]));
    const byAge = [...old].sort((a, b) =>
      String(a.metadata.creationTimestamp).localeCompare(String(b.metadata.creationTimestamp)),
    );
    for (const replicaSet of byAge) {
      const target = targets.get(replicaSet) ?? 0;
      const unhealthy = Math.max(0, target - (replicaSet.status?.availableReplicas ?? 0));
      const removed = Math.min(unhealthy, removable);
      targets.set(replicaSet, target - removed);
      removable -= removed;
    }
    const available = sum([...old, fresh], (replicaSet) => replicaSet.status?.availableReplicas ?? 0);
    let surplus = Math.max(0, available - minimum);
    for (const replicaSet of byAge) {
      const target = targets.get(replicaSet) ?? 0;
      const removed = Math.min(target, surplus);
      targets.set(replicaSet, target - removed);
      surplus -= removed;
    }
    for (const [replicaSet, replicas] of targets) await this.scale(deployment, replicaSet, replicas);
  }

  private async recreate(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet | undefined> {
    for (const replicaSet of old) await this.scale(deployment, replicaSet, 0);
    const uids = new Set(old.map((replicaSet) => replicaSet.metadata.uid));
    const remaining = this.context.view.pods
      .list()
      .some(
        (pod) => uids.has(controllerUid(pod) ?? "") && (isActive(pod) || pod.metadata.deletionTimestamp !== undefined),
      );
    if (remaining) return current;
    if (current === undefined) return this.createReplicaSet(deployment, old, deployment.spec.replicas);
    return this.scale(deployment, await this.syncRevision(deployment, current, old), deployment.spec.replicas);
  }

  private async scaleWhilePaused(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<void> {
    const [active, another] = owned.filter((replicaSet) => replicaSet.spec.replicas > 0);
    if (active && another === undefined) await this.scale(deployment, active, deployment.spec.replicas);
  }

  private async createReplicaSet(
    deployment: Deployment,
    old: readonly ReplicaSet[],
    replicas: number,
  ): Promise<ReplicaSet> {
    const { namespace, name } = deployment.metadata;
    const hash = podTemplateHash(withoutHash(deployment.spec.template));
    const template = withHash(deployment.spec.template, hash);
    const { selector, minReadySeconds } = deployment.spec;
    const revision = String(latestRevision(old) + 1);
    const body = {
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: template.metadata?.labels,
        annotations: {
          ...carriedAnnotations(deployment),
          ...sizeAnnotations(deployment),
          [revisionAnnotation]: revision,
        },
        ownerReferences: [controllerReference(deployment, "apps/v1", "Deployment")],
      },
      spec: {
        replicas,
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
        template,
        ...(minReadySeconds !== undefined && { minReadySeconds }),
      },
    };
    const path = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
    const created = await this.context.client.request<ReplicaSet>("POST", path, { body });
    await this.setRevision(deployment, revision);
    this.event(deployment, `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`);
    return created;
  }

  /** A ReplicaSet that becomes current again (a rollback) gets the next revision number. */
  private async syncRevision(
    deployment: Deployment,
    current: ReplicaSet,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet> {
    const revision = Math.max(latestRevision(old) + 1, latestRevision([current]));
    await this.setRevision(deployment, String(revision));
    if (latestRevision([current]) === revision) return current;
    return this.patchReplicaSet(current, { metadata: { annotations: { [revisionAnnotation]: String(revision) } } });
  }

  private async setRevision(deployment: Deployment, revision: string): Promise<void> {
    const { namespace, name, annotations } = deployment.metadata;
    if (annotations?.[revisionAnnotation] === revision) return;
    await this.context.client.request("PATCH", `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`, {
      patch: "merge",
      body: { metadata: { annotations: { [revisionAnnotation]: revision } } },
    });
  }

  private async scale(deployment: Deployment, replicaSet: ReplicaSet, replicas: number): Promise<ReplicaSet> {
    if (replicaSet.spec.replicas === replicas) return replicaSet;
    const direction = replicas > replicaSet.spec.replicas ? "up" : "down";
    const scaled = await this.patchReplicaSet(replicaSet, {
      metadata: { resourceVersion: replicaSet.metadata.resourceVersion, annotations: sizeAnnotations(deployment) },
      spec: { replicas },
    });
    this.event(
      deployment,
      `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${replicaSet.spec.replicas} to ${replicas}`,
    );
    return scaled;
  }

  private patchReplicaSet({ metadata: { namespace, name } }: ReplicaSet, body: unknown): Promise<ReplicaSet> {
    return this.context.client.request("PATCH", `/apis/apps/v1/namespaces/${namespace}/replicasets/${name}`, {
      patch: "merge",
      body,
    });
  }

  /** Deletes the oldest ReplicaSets beyond revisionHistoryLimit. */
  private async forgetHistory(deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const empty = old.filter(
      ({ spec, status, metadata }) =>
        spec.replicas === 0 && !status?.replicas && metadata.deletionTimestamp === undefined,
    );
    const surplus = empty.length - (deployment.spec.revisionHistoryLimit ?? 10);
    const byRevision = empty.sort((a, b) => latestRevision([a]) - latestRevision([b]));
    for (const { metadata } of byRevision.slice(0, Math.max(0, surplus))) {
      try {
        await this.context.client.request(
          "DELETE",
          `/apis/apps/v1/namespaces/${metadata.namespace}/replicasets/${metadata.name}`,
        );
      } catch (error) {
        if (!hasStatus(error, 404)) throw error;
      }
    }
  }

  private async writeStatus(
    deployment: Deployment,
    fresh: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const { status, checkAfterMs } = deploymentStatus(
      deployment,
      fresh,
      old,
      limits(deployment).maxUnavailable,
      this.context.now(),
    );
    if (checkAfterMs !== undefined) this.loop.addAfter(keyOf(deployment), checkAfterMs);
    if (sameJson(status, deployment.status)) return;
    const { namespace, name, uid } = deployment.metadata;
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;
    await replaceStatus(this.context.client, path, uid, status);
  }

  private event(deployment: Deployment, message: string): void {
    this.context.events.record(
      component,
      { apiVersion: "apps/v1", kind: "Deployment", object: deployment },
      "Normal",
      "ScalingReplicaSet",
      message,
    );
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** Rounding both down to zero would stop every rollout, so one pod may then be unavailable. */
function limits({ spec }: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (spec.strategy.type === "Recreate") return { maxSurge: 0, maxUnavailable: spec.replicas };
  const maxSurge = scaledValue(spec.strategy.rollingUpdate?.maxSurge, spec.replicas, "up");
  const maxUnavailable = Math.min(
    scaledValue(spec.strategy.rollingUpdate?.maxUnavailable, spec.replicas, "down"),
    spec.replicas,
  );
  return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
}

function latestRevision(replicaSets: readonly ReplicaSet[]): number {
  return Math.max(0, ...replicaSets.map(({ metadata }) => Number(metadata.annotations?.[revisionAnnotation] ?? 0)));
}

function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const { replicas } = deployment.spec;
  return {
    "deployment.kubernetes.io/desired-replicas": String(replicas),
    "deployment.kubernetes.io/max-replicas": String(replicas + limits(deployment).maxSurge),
  };
}

/** The Deployment's annotations that its ReplicaSets bear, too. */
function carriedAnnotations({ metadata }: Deployment): Record<string, string> {
  const own = new Set(["kubectl.kubernetes.io/last-applied-configuration", revisionAnnotation]);
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !own.has(key)));
}

function isComplete(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): boolean {
  return (
    (fresh?.status?.availableReplicas ?? 0) >= deployment.spec.replicas && old.every(({ spec }) => spec.replicas === 0)
  );
}
