import { LABELS, MANAGED_BY } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";

export type Ownership = "Ours" | "Adoptable" | "Foreign";

/** Only a child that we control is written to; one that lost its owner but bears our label is taken back. */
export function ownershipOf(child: KubeObject, owner: KubeObject): Ownership {
  const controller = child.metadata.ownerReferences?.find((reference) => reference.controller);
  if (controller !== undefined) return controller.uid === owner.metadata.uid ? "Ours" : "Foreign";
  const { [LABELS.managedBy]: manager, [LABELS.modelDeployment]: name } = child.metadata.labels ?? {};
  return manager === MANAGED_BY && name === owner.metadata.name ? "Adoptable" : "Foreign";
}
