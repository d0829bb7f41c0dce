import { parseQuantity } from "../api-server/quantity.ts";
import { hasStatus } from "../cluster/client.ts";
import { keyOf, kubeTime, type Node, type Pod } from "../cluster/objects.ts";
import { splitKey, type ControllerContext, type RunningController } from "./context.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

const component = "default-scheduler";
const resources = ["cpu", "memory"] as const;

/** Binds each pending pod to the node with the fewest pods among those that fit it. */
export function startScheduler(context: ControllerContext): RunningController {
  const scheduler = new Scheduler(context);
  const { pods, nodes } = context.view;
  const retryPending = (): void => {
    for (const pod of pods.list()) if (isPending(pod)) scheduler.loop.add(keyOf(pod));
  };
  pods.subscribe(({ type, object }) => {
    if (type === "deleted") retryPending();
    else if (isPending(object)) scheduler.loop.add(keyOf(object));
  });
  nodes.subscribe(retryPending);
  retryPending();
  return scheduler.loop;
}

function isPending(pod: Pod): boolean {
  const { nodeName, schedulerName, schedulingGates = [] } = pod.spec;
  const ours = schedulerName === undefined || schedulerName === component;
  return !nodeName && ours && schedulingGates.length === 0 && pod.metadata.deletionTimestamp === undefined;
}

class Scheduler {
  readonly loop: ReconcileLoop;
  private readonly context: ControllerContext;
  /** Nodes of pods that were bound while the local copy does not show it yet. */
  private readonly assumed = new Map<string, string>();

  constructor(context: ControllerContext) {
    this.context = context;
    this.loop = new ReconcileLoop("scheduler", (key) => this.schedule(key), context.logger);
  }

  private async schedule(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.context.view.pods.get(namespace, name);
    if (pod === undefined || !isPending(pod) || this.assumed.has(pod.metadata.uid)) return;
    const pods = this.boundPods();
    const nodes = this.context.view.nodes.list();
    const misfits = new Map<string, number>();
    const fitting = nodes.filter((node) => {
      const problem = whyNot(pod, node, podsOn(pods, node));
      if (problem !== undefined) misfits.set(problem, (misfits.get(problem) ?? 0) + 1);
      return problem === undefined;
    });
    const [chosen] = fitting.sort((a, b) => podsOn(pods, a).length - podsOn(pods, b).length);
    if (chosen === undefined) return this.reject(pod, nodes.length, misfits);
    await this.bind(pod, chosen.metadata.name);
  }

  private boundPods(): { pod: Pod; node: string }[] {
    return this.context.view.pods.list().flatMap((pod) => {
      const { uid } = pod.metadata;
      if (pod.spec.nodeName) this.assumed.delete(uid);
      const node = pod.spec.nodeName ?? this.assumed.get(uid);
      const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
      return node && !ended ? [{ pod, node }] : [];
    });
  }

  private async bind(pod: Pod, node: string): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    this.assumed.set(uid, node);
    try {
      await this.context.client.request("POST", `/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
        body: {
          apiVersion: "v1",
          kind: "Binding",
          metadata: { name },
          target: { apiVersion: "v1", kind: "Node", name: node },
        },
      });
    } catch (error) {
      this.assumed.delete(uid);
      if (!hasStatus(error, 404, 409)) throw error;
      return;
    }
    const message = `Successfully assigned ${namespace}/${name} to ${node}`;
    this.context.events.record(
      component,
      { apiVersion: "v1", kind: "Pod", object: pod },
      "Normal",
      "Scheduled",
      message,
    );
  }

  private async reject(pod: Pod, nodes: number, misfits: ReadonlyMap<string, number>): Promise<void> {
    const reasons = [...misfits].map(([problem, count]) => `${count} ${problem}`).join(", ");
    const message = nodes === 0 ? "no nodes available to schedule pods" : `0/${nodes} nodes are available: ${reasons}.`;
    const current = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    if (current?.status === "False" && current.message === message) return;
    const { namespace, name } = pod.metadata;
    const lastTransitionTime = kubeTime(this.context.now());
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime };
    await this.context.client.request("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      patch: "strategic",
      body: { status: { conditions: [condition] } },
    });
    this.context.events.record(
      component,
      { apiVersion: "v1", kind: "Pod", object: pod },
      "Warning",
      "FailedScheduling",
      message,
    );
  }
}

function podsOn(pods: readonly { pod: Pod; node: string }[], node: Node): Pod[] {
  return pods.filter((entry) => entry.node === node.metadata.name).map((entry) => entry.pod);
}

/** Why a pod cannot run on a node, in the scheduler's words; undefined when it can. */
function whyNot(pod: Pod, node: Node, present: readonly Pod[]): string | undefined {
  const { spec, status, metadata } = node;
  if (!status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"))
    return "node(s) were not ready";
  if (spec?.unschedulable) return "node(s) were unschedulable";
  const labels = metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value))
    return "node(s) didn't match Pod's node affinity/selector";
  const taint = (spec?.taints ?? []).find(
    (candidate) => candidate.effect !== "PreferNoSchedule" && !tolerates(pod, candidate),
  );
  if (taint) return `node(s) had untolerated taint(s)`;
  const allocatable = status.allocatable ?? {};
  const most = Number(allocatable["pods"] ?? 110);
  if (present.length >= most) return "Too many pods";
  const lacking = resources.find((resource) => {
    const capacity = allocatable[resource];
    if (capacity === undefined) return false;
    const used = [...present, pod].reduce((sum, each) => sum + requested(each, resource), 0);
    return used > (parseQuantity(capacity) ?? 0);
  });
  return lacking === undefined ? undefined : `Insufficient ${lacking}`;
}

function tolerates(pod: Pod, taint: { key: string; value?: string; effect: string }): boolean {
  return (pod.spec.tolerations ?? []).some(
    ({ key, operator, value, effect }) =>
      (key === undefined || key === taint.key) &&
      (effect === undefined || effect === taint.effect) &&
      (operator === "Exists" || (value ?? "") === (taint.value ?? "")),
  );
}

function requested(pod: Pod, resource: string): number {
  return pod.spec.containers.reduce((sum, container) => {
    const requests: Record<string, string> = container.resources?.requests ?? {};
    return sum + (parseQuantity(requests[resource] ?? "0") ?? 0);
  }, 0);
}
