import type { Logger } from "pino";
import type { ClusterClient } from "../cluster/client.ts";
import { AllResources } from "./all-resources.ts";
import { ControllerView, type ControllerContext } from "./context.ts";
import { startDeploymentController } from "./deployment-controller.ts";
import { startDisruptionController } from "./disruption-controller.ts";
import { EventRecorder } from "./event-recorder.ts";
import { startGarbageCollector } from "./garbage-collector.ts";
import { startHorizontalPodAutoscalerController } from "./horizontal-pod-autoscaler-controller.ts";
import { startNamespaceController } from "./namespace-controller.ts";
import { startReplicaSetController } from "./replica-set-controller.ts";
import { startScheduler } from "./scheduler.ts";
import { startServiceAccountController } from "./service-account-controller.ts";

interface ControllersOptions {
  /** Stays open when the controllers are closed. */
  client: ClusterClient;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface Controllers {
  /** Stops every controller; what they were doing is finished first. */
  close(): Promise<void>;
}

/** Starts what a control plane has beside its API server: the controllers and a scheduler. */
export async function startControllers({ client, logger, now = Date.now }: ControllersOptions): Promise<Controllers> {
  const view = new ControllerView(client, logger);
  const all = new AllResources(client, logger);
  await Promise.all([view.start(), all.start()]);
  const events = new EventRecorder(client, logger, now);
  const context: ControllerContext = { client, view, events, logger, now };
  const running = [
    startServiceAccountController(context),
    startDeploymentController(context),
    startReplicaSetController(context),
    startScheduler(context),
    startHorizontalPodAutoscalerController(context),
    startDisruptionController(context),
    startGarbageCollector(context, all),
    startNamespaceController(context, all),
  ];
  return {
    close: async () => {
      await Promise.all(running.map((controller) => controller.close()));
      await events.flush();
      await Promise.all([view.close(), all.close()]);
    },
  };
}
