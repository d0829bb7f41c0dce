import type { KubernetesObject } from "@kubernetes/client-node";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { Plan, PlannedRevision } from "../plan/plan-rollout.ts";
import { deployment } from "./deployment.ts";
import { horizontalPodAutoscaler } from "./horizontal-pod-autoscaler.ts";
import { revisionDisruptionBudget, routerDisruptionBudget } from "./pod-disruption-budget.ts";
import { routerDeployment, trafficConfigMap } from "./router.ts";
import type { PodUsers } from "./security.ts";
import { frontService, revisionService } from "./service.ts";

/** Every child that should exist now, in the order of writing: first the record of the decision, then what it decides. */
export function desiredObjects(md: ValidModelDeployment, plan: Plan, users: PodUsers = "Fixed"): KubernetesObject[] {
  return [
    frontService(md, plan),
    ...plan.revisions.flatMap((revision) => revisionObjects(md, revision, users)),
    ...routerObjects(md, plan, users),
  ];
}

function revisionObjects(md: ValidModelDeployment, revision: PlannedRevision, users: PodUsers): KubernetesObject[] {
  const { autoscaling } = revision.serving;
  return [
    revisionService(md, revision),
    deployment(md, revision, users),
    ...(autoscaling ? [horizontalPodAutoscaler(md, revision, autoscaling)] : []),
    revisionDisruptionBudget(md, revision),
  ];
}

function routerObjects(md: ValidModelDeployment, { router }: Plan, users: PodUsers): KubernetesObject[] {
  if (router === undefined) return [];
  return [trafficConfigMap(md, router), routerDeployment(md, router, users), routerDisruptionBudget(md)];
}
