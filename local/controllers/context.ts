import type { Logger } from "pino";
import type { ClusterClient } from "../cluster/client.ts";
import { Mirror } from "../cluster/mirror.ts";
import type { KubeObject, Node, Pod } from "../cluster/objects.ts";
import type { EventRecorder } from "./event-recorder.ts";
import type { Deployment, HorizontalPodAutoscaler, Namespace, PodDisruptionBudget, ReplicaSet } from "./objects.ts";

/** Local copies of the collections that controllers read. */
export class ControllerView {
  readonly namespaces: Mirror<Namespace>;
  readonly serviceAccounts: Mirror<KubeObject>;
  readonly nodes: Mirror<Node>;
  readonly pods: Mirror<Pod>;
  readonly deployments: Mirror<Deployment>;
  readonly replicaSets: Mirror<ReplicaSet>;
  readonly autoscalers: Mirror<HorizontalPodAutoscaler>;
  readonly budgets: Mirror<PodDisruptionBudget>;

  constructor(client: ClusterClient, logger: Logger) {
    this.namespaces = new Mirror(client, "/api/v1/namespaces", logger);
    this.serviceAccounts = new Mirror(client, "/api/v1/serviceaccounts", logger);
    this.nodes = new Mirror(client, "/api/v1/nodes", logger);
    this.pods = new Mirror(client, "/api/v1/pods", logger);
    this.deployments = new Mirror(client, "/apis/apps/v1/deployments", logger);
    this.replicaSets = new Mirror(client, "/apis/apps/v1/replicasets", logger);
    this.autoscalers = new Mirror(client, "/apis/autoscaling/v2/horizontalpodautoscalers", logger);
    this.budgets = new Mirror(client, "/apis/policy/v1/poddisruptionbudgets", logger);
  }

  async start(): Promise<void> {
    await Promise.all(this.all().map((mirror) => mirror.start()));
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((mirror) => mirror.close()));
  }

  private all(): { start(): Promise<void>; close(): Promise<void> }[] {
    const { namespaces, serviceAccounts, nodes, pods, deployments, replicaSets, autoscalers, budgets } = this;
    return [namespaces, serviceAccounts, nodes, pods, deployments, replicaSets, autoscalers, budgets];
  }
}

/** What every controller is given. */
export interface ControllerContext {
  client: ClusterClient;
  view: ControllerView;
  events: EventRecorder;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export interface RunningController {
  close(): Promise<void>;
}

/** Mirror keys are `namespace/name`. */
export function splitKey(key: string): { namespace: string; name: string } {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}
