import type { V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { ANNOTATIONS, COMPONENTS } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { LoadedModel, ObservedReplicas, ObservedRouter } from "../plan/observed.ts";
import { newestRecord } from "../plan/record.ts";
import type { RolloutRecord } from "../plan/record.ts";
import type { Facts } from "../status/facts.ts";
import { isReady } from "../status/pod-failure.ts";
import type { Complaints } from "../status/pod-failure.ts";
import {
  componentOf,
  deploymentsAmong,
  frontService,
  ownChildren,
  revisionOf,
  routerDeployment,
} from "./own-children.ts";
import type { Deployment, Service } from "./own-children.ts";
import type { Pod, Sighting } from "./world.ts";

type Autoscaler = V2HorizontalPodAutoscaler & KubeObject;

/** The facts of planning and status, from what was seen of the object's own children. */
export function gather(
  sighting: Sighting,
  routers: readonly ObservedRouter[],
  complaints: Complaints,
  models: ReadonlyMap<string, LoadedModel>,
): Facts {
  const own = ownChildren(sighting);
  const revisions = deploymentsAmong(own).filter((child) => revisionOf(child) !== undefined);
  const router = routerDeployment(own);
  const front = frontService(own);
  const pods = Map.groupBy(revisionPods(sighting), (pod) => revisionOf(pod) ?? "");
  return {
    record: rolloutRecord(front, sighting.object),
    revisions: new Map(revisions.map((child) => [revisionOf(child) ?? "", replicasOf(child)])),
    routers: { replicas: router && replicasOf(router), ready: routers },
    pods,
    complaints,
    models,
    loaded: loadedByRevision(pods, models),
    deploymentConditions: new Map(revisions.map((child) => [revisionOf(child) ?? "", child.status?.conditions ?? []])),
    autoscalers: new Map(
      own
        .filter((child): child is Autoscaler => child.kind === "HorizontalPodAutoscaler")
        .map((child) => [revisionOf(child) ?? "", child.status?.conditions ?? []]),
    ),
    loadBalancer: loadBalancer(front),
  };
}

/** Pods of one revision load the same, or else that is told as DigestDrift; the first that says something speaks for all. */
function loadedByRevision(
  pods: ReadonlyMap<string, readonly Pod[]>,
  models: ReadonlyMap<string, LoadedModel>,
): Map<string, LoadedModel> {
  const answers = [...pods].map(([id, all]) => {
    const said = all.flatMap(({ metadata }) => models.get(metadata.uid ?? "") ?? []);
    return [id, said.find((model) => Object.keys(model).length > 0) ?? said[0]] as const;
  });
  return new Map(answers.flatMap(([id, model]) => (model === undefined ? [] : [[id, model] as const])));
}

/** Pods that run a model, or are about to. */
export function revisionPods({ pods }: Sighting): Pod[] {
  return pods.filter((pod) => componentOf(pod) === COMPONENTS.revision);
}

/** Router pods that get requests: ready, and not on their way out. */
export function readyRouterPods({ pods }: Sighting): Pod[] {
  return pods.filter(
    (pod) => componentOf(pod) === COMPONENTS.router && isReady(pod) && pod.status?.podIP !== undefined,
  );
}

function replicasOf({ spec, status }: Deployment): ObservedReplicas {
  const wanted = spec?.replicas ?? 1;
  return { wanted, ready: Math.min(status?.readyReplicas ?? 0, wanted) };
}

function rolloutRecord(front: Service | undefined, object: KubeObject): RolloutRecord | undefined {
  const annotation = front?.metadata.annotations?.[ANNOTATIONS.record];
  const { status } = object as KubeObject & { status?: { rollout?: unknown } };
  return newestRecord([annotation === undefined ? undefined : fromJson(annotation), status?.rollout]);
}

/** Text that is no JSON is as good as none: the other copy counts. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function loadBalancer(front: Service | undefined): Facts["loadBalancer"] {
  const [ingress] = front?.status?.loadBalancer?.ingress ?? [];
  const host = ingress?.hostname ?? ingress?.ip;
  return host === undefined ? undefined : { host, port: ingress?.ports?.[0]?.port };
}
