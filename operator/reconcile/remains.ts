import type { V1ConfigMap, V1Deployment, V1Service } from "@kubernetes/client-node";
import { COMPONENTS, LABELS, RUNTIME_CONTAINER } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Route } from "../plan/record.ts";
import type { Remains, RemainingRevision } from "../plan/salvage.ts";
import { pinnedTemplate } from "../resources/pinned-template.ts";
import type { Templated } from "../resources/pinned-template.ts";
import { CONFIG_FILES } from "../traffic/envoy-bootstrap.ts";
import { BUCKETS } from "../traffic/intervals.ts";
import { writtenSplit } from "../traffic/written-split.ts";

type Deployment = V1Deployment & KubeObject;

/** What an object's own children tell of who serves; undefined when they do not say who has which share. */
export function remainsOf(own: readonly KubeObject[]): Remains | undefined {
  const serving = servingRoute(own);
  if (serving === undefined) return undefined;
  const deployments = own.filter((child): child is Deployment => child.kind === "Deployment");
  const router = deployments.find((child) => labelOf(child, LABELS.component) === COMPONENTS.router);
  const routerImage = router?.spec?.template.spec?.containers[0]?.image;
  return {
    serving,
    revisions: new Map(deployments.flatMap(remainingRevision)),
    ...(routerImage !== undefined && { routerImage }),
  };
}

function servingRoute(own: readonly KubeObject[]): Route | undefined {
  const isFront = (child: KubeObject): boolean =>
    child.kind === "Service" && labelOf(child, LABELS.component) === COMPONENTS.front;
  const selector = (own.find(isFront) as V1Service | undefined)?.spec?.selector;
  if (selector === undefined) return undefined;
  const revision = selector[LABELS.revision];
  if (revision !== undefined) return { via: "Service", split: [{ revision, buckets: BUCKETS }] };
  const traffic = own.find(({ kind }) => kind === "ConfigMap") as V1ConfigMap | undefined;
  const split = writtenSplit(traffic?.data?.[CONFIG_FILES.routes] ?? "");
  return split && { via: "Router", split };
}

/** Only one whose pods are pinned can go on as it is: nothing else tells what they are made from. */
function remainingRevision(child: Deployment): (readonly [string, RemainingRevision])[] {
  const [id, version] = [labelOf(child, LABELS.revision), labelOf(child, LABELS.version)];
  const pinned = pinnedTemplate(child as KubeObject & Templated)?.spec.containers ?? [];
  const image = pinned.find(({ name }) => name === RUNTIME_CONTAINER)?.image;
  if (id === undefined || version === undefined || image === undefined) return [];
  const containers = child.spec?.template.spec?.containers ?? [];
  const grpc = containers.some(({ ports }) => ports?.some(({ name }) => name === "grpc"));
  return [[id, { version, image, replicas: child.spec?.replicas ?? 1, grpc }]];
}

function labelOf({ metadata }: KubeObject, label: string): string | undefined {
  return metadata.labels?.[label];
}
