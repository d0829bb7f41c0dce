import type { Pod } from "../cluster/objects.ts";
import type { ClusterView } from "../cluster/view.ts";

const MODEL_LABEL = "serving.slipway.dev/model-deployment";

/** All pods of a ModelDeployment: its revisions' and its routers'. */
export function podsOfModel(view: ClusterView, namespace: string, name: string): Pod[] {
  return view.pods
    .list()
    .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[MODEL_LABEL] === name);
}
