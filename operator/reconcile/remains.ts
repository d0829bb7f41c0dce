import type { V1ConfigMap } from "@kubernetes/client-node";
import { LABELS, RUNTIME_CONTAINER } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Route } from "../plan/record.ts";
import type { Remains, RemainingRevision } from "../plan/salvage.ts";
import { pinnedTemplate } from "../resources/pinned-template.ts";
import type { Templated } from "../resources/pinned-template.ts";
import { CONFIG_FILES } from "../traffic/envoy-bootstrap.ts";
import { BUCKETS } from "../traffic/intervals.ts";
import { writtenSplit } from "../traffic/written-split.ts";
import { deploymentsAmong, frontService, revisionOf, routerDeployment, versionOf } from "./own-children.ts";
import type { Deployment } from "./own-children.ts";

/** What an object's own children tell of who serves; undefined when they do not say who has which share. */
export function remainsOf(own: readonly KubeObject[]): Remains | undefined {
  const serving = servingRoute(own);
  if (serving === undefined) return undefined;
  const routerImage = routerDeployment(own)?.spec?.template.spec?.containers[0]?.image;
  return {
    serving,
    revisions: new Map(deploymentsAmong(own).flatMap(remainingRevision)),
    ...(routerImage !== undefined && { routerImage }),
  };
}

function servingRoute(own: readonly KubeObject[]): Route | undefined {
  const selector = frontService(own)?.spec?.selector;
  if (selector === undefined) return undefined;
  const revision = selector[LABELS.revision];
  if (revision !== undefined) return { via: "Service", split: [{ revision, buckets: BUCKETS }] };
  const traffic = own.find(({ kind }) => kind === "ConfigMap") as V1ConfigMap | undefined;
  const split = writtenSplit(traffic?.data?.[CONFIG_FILES.routes] ?? "");
  return split && { via: "Router", split };
}

/** Only one whose pods are pinned can go on as it is: nothing else tells what they are made from. */
function remainingRevision(child: Deployment): (readonly [string, RemainingRevision])[] {
  const [id, version] = [revisionOf(child), versionOf(child)];
  const pinned = pinnedTemplate(child as KubeObject & Templated)?.spec.containers ?? [];
  const image = pinned.find(({ name }) => name === RUNTIME_CONTAINER)?.image;
  if (id === undefined || version === undefined || image === undefined) return [];
  const containers = child.spec?.template.spec?.containers ?? [];
  const grpc = containers.some(({ ports }) => ports?.some(({ name }) => name === "grpc"));
  return [[id, { version, image, replicas: child.spec?.replicas ?? 1, grpc }]];
}
