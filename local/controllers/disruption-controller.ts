import { sameJson } from "../api-server/objects.ts";
import { matchesSelector } from "../api-server/selector.ts";
import { keyOf, kubeTime } from "../cluster/objects.ts";
import { splitKey, type ControllerContext, type RunningController } from "./context.ts";
import { controllerUid, isActive, isReady, scaledValue, withCondition, type PodDisruptionBudget } from "./objects.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

/** Writes how many disruptions each PodDisruptionBudget allows at present. */
export function startDisruptionController(context: ControllerContext): RunningController {
  const { budgets, pods, replicaSets } = context.view;
  const loop = new ReconcileLoop("disruption", (key) => writeStatus(context, key), context.logger);
  const addAllOf = (namespace: string | undefined): void => {
    for (const budget of budgets.list()) if (budget.metadata.namespace === namespace) loop.add(keyOf(budget));
  };
  budgets.subscribe(({ object }) => loop.add(keyOf(object)));
  pods.subscribe(({ object }) => addAllOf(object.metadata.namespace));
  replicaSets.subscribe(({ object }) => addAllOf(object.metadata.namespace));
  for (const budget of budgets.list()) loop.add(keyOf(budget));
  return loop;
}

async function writeStatus(context: ControllerContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key);
  const budget = context.view.budgets.get(namespace, name);
  if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return;
  const status = budgetStatus(context, budget);
  if (sameJson(status, budget.status)) return;
  await context.client.request("PATCH", `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/${name}/status`, {
    patch: "merge",
    body: { status },
  });
}

function budgetStatus({ view, now }: ControllerContext, budget: PodDisruptionBudget): Record<string, unknown> {
  const { namespace, generation } = budget.metadata;
  const { selector, minAvailable, maxUnavailable } = budget.spec;
  const selected = view.pods
    .list()
    .filter(
      (pod) => pod.metadata.namespace === namespace && isActive(pod) && matchesSelector(selector, pod.metadata.labels),
    );
  const owners = new Set(selected.map(controllerUid));
  const wanted = view.replicaSets
    .list()
    .filter(({ metadata }) => owners.has(metadata.uid))
    .reduce((sum, { spec }) => sum + spec.replicas, 0);
  const expectedPods =
    minAvailable !== undefined && typeof minAvailable === "number" ? selected.length : Math.max(wanted, 0);
  const desiredHealthy =
    maxUnavailable !== undefined
      ? Math.max(0, expectedPods - scaledValue(maxUnavailable, expectedPods, "up"))
      : scaledValue(minAvailable, expectedPods, "up");
  const currentHealthy = selected.filter(isReady).length;
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const condition = {
    type: "DisruptionAllowed",
    status: disruptionsAllowed > 0 ? "True" : "False",
    reason: disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods",
    message: "",
    lastTransitionTime: kubeTime(now()),
    ...(generation !== undefined && { observedGeneration: generation }),
  } as const;
  return {
    conditions: withCondition(budget.status?.conditions ?? [], condition),
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed,
    expectedPods,
    ...(generation !== undefined && { observedGeneration: generation }),
  };
}
