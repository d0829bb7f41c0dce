import type { V1Deployment, V1Service } from "@kubernetes/client-node";
import { COMPONENTS, LABELS } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import { ownershipOf } from "./ownership.ts";
import type { Sighting } from "./world.ts";

export type Deployment = V1Deployment & KubeObject;
export type Service = V1Service & KubeObject;

/** The object's children, those that it may take back among them; what bears its label and belongs to another is none. */
export function ownChildren({ object, children }: Pick<Sighting, "object" | "children">): KubeObject[] {
  return children.filter((child) => ownershipOf(child, object) !== "Foreign");
}

export function deploymentsAmong(own: readonly KubeObject[]): Deployment[] {
  return own.filter((child): child is Deployment => child.kind === "Deployment");
}

export function routerDeployment(own: readonly KubeObject[]): Deployment | undefined {
  return deploymentsAmong(own).find((child) => componentOf(child) === COMPONENTS.router);
}

export function frontService(own: readonly KubeObject[]): Service | undefined {
  return own.find((child): child is Service => child.kind === "Service" && componentOf(child) === COMPONENTS.front);
}

export function componentOf(object: KubeObject): string | undefined {
  return labelOf(object, LABELS.component);
}

export function revisionOf(object: KubeObject): string | undefined {
  return labelOf(object, LABELS.revision);
}

export function versionOf(object: KubeObject): string | undefined {
  return labelOf(object, LABELS.version);
}

function labelOf({ metadata }: KubeObject, label: string): string | undefined {
  return metadata.labels?.[label];
}
