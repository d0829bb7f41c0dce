import { sameJson } from "../api-server/objects.ts";
import { keyOf, kubeTime } from "../cluster/objects.ts";
import { splitKey, type ControllerContext, type RunningController } from "./context.ts";
import { withCondition, type Condition, type HorizontalPodAutoscaler } from "./objects.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

const component = "horizontal-pod-autoscaler";

interface Scale {
  metadata: { resourceVersion: string };
  spec: { replicas?: number };
  status?: { replicas?: number };
}

/**
 * Keeps the targets of HorizontalPodAutoscalers within their bounds. There are no metrics here, so that nothing scales with load;
 * the conditions say so as a real cluster without a metrics server does.
 */
export function startHorizontalPodAutoscalerController(context: ControllerContext): RunningController {
  const controller = new AutoscalerController(context);
  const { autoscalers, deployments } = context.view;
  autoscalers.subscribe(({ object }) => controller.loop.add(keyOf(object)));
  deployments.subscribe(({ object: { metadata } }) => {
    for (const autoscaler of autoscalers.list()) {
      const sameNamespace = autoscaler.metadata.namespace === metadata.namespace;
      if (sameNamespace && autoscaler.spec.scaleTargetRef.name === metadata.name)
        controller.loop.add(keyOf(autoscaler));
    }
  });
  for (const autoscaler of autoscalers.list()) controller.loop.add(keyOf(autoscaler));
  return controller.loop;
}

class AutoscalerController {
  readonly loop: ReconcileLoop;
  private readonly context: ControllerContext;

  constructor(context: ControllerContext) {
    this.context = context;
    this.loop = new ReconcileLoop("horizontalpodautoscaler", (key) => this.reconcile(key), context.logger);
  }

  private async reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const autoscaler = this.context.view.autoscalers.get(namespace, name);
    if (autoscaler === undefined || autoscaler.metadata.deletionTimestamp !== undefined) return;
    const path = this.scalePath(autoscaler);
    if (path === undefined) return;
    const scale = await this.context.client.request<Scale>("GET", path);
    const { minReplicas = 1, maxReplicas } = autoscaler.spec;
    const wanted = scale.spec.replicas ?? 0;
    const isDisabled = wanted === 0;
    const desired = isDisabled ? 0 : Math.min(Math.max(wanted, minReplicas), maxReplicas);
    if (desired !== wanted) await this.rescale(autoscaler, path, desired, wanted < minReplicas);
    await this.writeStatus(autoscaler, scale.status?.replicas ?? 0, desired, {
      isDisabled,
      rescaled: desired !== wanted,
    });
  }

  /** Only Deployments and ReplicaSets are scaled here; nothing else in this cluster has pods. */
  private scalePath({ metadata, spec: { scaleTargetRef } }: HorizontalPodAutoscaler): string | undefined {
    const plurals: Record<string, string> = { Deployment: "deployments", ReplicaSet: "replicasets" };
    const plural = plurals[scaleTargetRef.kind];
    const mirror = plural === "deployments" ? this.context.view.deployments : this.context.view.replicaSets;
    const exists = mirror.get(metadata.namespace ?? "", scaleTargetRef.name) !== undefined;
    return plural && exists
      ? `/apis/apps/v1/namespaces/${metadata.namespace}/${plural}/${scaleTargetRef.name}/scale`
      : undefined;
  }

  private async rescale(
    autoscaler: HorizontalPodAutoscaler,
    path: string,
    replicas: number,
    isBelow: boolean,
  ): Promise<void> {
    await this.context.client.request("PATCH", path, { patch: "merge", body: { spec: { replicas } } });
    const bound = isBelow ? "below Spec.MinReplicas" : "above Spec.MaxReplicas";
    const subject = { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", object: autoscaler };
    const message = `New size: ${replicas}; reason: Current number of replicas ${bound}`;
    this.context.events.record(component, subject, "Normal", "SuccessfulRescale", message);
  }

  private async writeStatus(
    autoscaler: HorizontalPodAutoscaler,
    currentReplicas: number,
    desiredReplicas: number,
    { isDisabled, rescaled }: { isDisabled: boolean; rescaled: boolean },
  ): Promise<void> {
    const lastTransitionTime = kubeTime(this.context.now());
    const able: Condition = rescaled
      ? {
          type: "AbleToScale",
          status: "True",
          reason: "SucceededRescale",
          message: `the HPA controller was able to update the target scale to ${desiredReplicas}`,
          lastTransitionTime,
        }
      : {
          type: "AbleToScale",
          status: "True",
          reason: "SucceededGetScale",
          message: "the HPA controller was able to get the target's current scale",
          lastTransitionTime,
        };
    const active: Condition = {
      type: "ScalingActive",
      status: "False",
      reason: isDisabled ? "ScalingDisabled" : "FailedGetResourceMetric",
      message: isDisabled
        ? "scaling is disabled since the replica count of the target is zero"
        : "the HPA was unable to compute the replica count: this cluster has no metrics server",
      lastTransitionTime,
    };
    const conditions = withCondition(withCondition(autoscaler.status?.conditions ?? [], able), active);
    const { lastScaleTime } = autoscaler.status ?? {};
    const status = {
      conditions,
      currentMetrics: null,
      currentReplicas,
      desiredReplicas,
      ...(rescaled ? { lastScaleTime: lastTransitionTime } : lastScaleTime !== undefined && { lastScaleTime }),
    };
    if (sameJson(status, autoscaler.status)) return;
    const { namespace, name } = autoscaler.metadata;
    await this.context.client.request(
      "PATCH",
      `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers/${name}/status`,
      {
        patch: "merge",
        body: { status },
      },
    );
  }
}
