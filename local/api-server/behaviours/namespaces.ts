import { listAt, objectAt } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";

export const namespaceBehaviour: Behaviour = {
  applyDefaults(namespace) {
    const metadata = objectAt(namespace, "metadata");
    metadata["labels"] = { ...objectAt(metadata, "labels"), "kubernetes.io/metadata.name": metadata["name"] };
  },
  prepareForCreate(namespace) {
    const finalizers = new Set([...listAt(objectAt(namespace, "spec"), "finalizers"), "kubernetes"]);
    namespace["spec"] = { finalizers: [...finalizers] };
    namespace["status"] = { phase: "Active" };
  },
};
