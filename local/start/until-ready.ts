import type { Logger } from "pino";
import { Mirror } from "../cluster/mirror.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { MODEL_DEPLOYMENTS, type ModelDeployment } from "./model-deployment.ts";
import { podsOfModel } from "./model-pods.ts";
import type { ProgressDisplay } from "./progress-display.ts";
import { modelLines, outcomeOf, type Outcome } from "./progress.ts";

interface Wait {
  cluster: LocalCluster;
  namespace: string;
  name: string;
  /** The one that matters, when it is not all. */
  version?: string;
  display: Pick<ProgressDisplay, "show">;
  logger: Logger;
  signal: AbortSignal;
}

/** Shows the model and its pods at each change, until the model is ready, cannot become so, or `signal` aborts (throws). */
export async function untilReady(wait: Wait): Promise<Outcome> {
  const { cluster, namespace, name, version, display, logger, signal } = wait;
  const models = new Mirror<ModelDeployment>(cluster.client, MODEL_DEPLOYMENTS, logger);
  const decided = Promise.withResolvers<Outcome>();
  const onAbort = () => decided.reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  let watching = true;
  const look = () => {
    if (!watching) return;
    const model = models.get(namespace, name);
    const pods = podsOfModel(cluster.view, namespace, name);
    display.show([{ mark: "done", name: "cluster", detail: cluster.url }, ...modelLines(name, model, pods)]);
    const outcome = outcomeOf(model, version);
    if (outcome.is !== "waiting") decided.resolve(outcome);
  };
  models.subscribe(look);
  cluster.view.pods.subscribe(look);
  try {
    signal.throwIfAborted();
    await models.start();
    return await decided.promise;
  } finally {
    watching = false;
    signal.removeEventListener("abort", onAbort);
    await models.close();
  }
}
