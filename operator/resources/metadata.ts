import type { V1ObjectMeta } from "@kubernetes/client-node";
import { LABELS, MANAGED_BY } from "../api/names.ts";
import type { Component } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";

/** Metadata of a child: ours by label, and owned, so that it goes when the ModelDeployment goes. */
export function childMetadata(
  owner: ValidModelDeployment,
  name: string,
  component: Component,
  extra: { labels?: Record<string, string>; annotations?: Record<string, string> } = {},
): V1ObjectMeta {
  return {
    name,
    namespace: owner.namespace,
    labels: { ...selectorLabels(owner.name, component), [LABELS.managedBy]: MANAGED_BY, ...extra.labels },
    ...(extra.annotations && { annotations: extra.annotations }),
    ownerReferences: [
      {
        apiVersion: owner.apiVersion,
        kind: owner.kind,
        name: owner.name,
        uid: owner.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** What selects the pods of a component; with `revision`, of that revision only. */
export function selectorLabels(name: string, component: Component, revision?: string): Record<string, string> {
  return {
    [LABELS.modelDeployment]: name,
    [LABELS.component]: component,
    ...(revision !== undefined && { [LABELS.revision]: revision }),
  };
}
