import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { startApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import { startControllers } from "../../../local/controllers/controllers.ts";
import { startInstantKubelet } from "../../support/instant-kubelet.ts";

export interface ControlPlane {
  client: ClusterClient;
  close(): Promise<void>;
}

/** An embedded API server with its controllers, and a node whose pods are ready at once unless `node` is false. */
export async function startControlPlane({ node = true } = {}): Promise<ControlPlane> {
  const logger = pino({ level: "silent" });
  const server = await startApiServer();
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromString(server.kubeconfig());
  const client = await ClusterClient.connect(kubeConfig);
  const controllers = await startControllers({ client, logger });
  const kubelet = node ? await startInstantKubelet({ client, logger }) : undefined;
  return {
    client,
    close: async () => {
      await kubelet?.close();
      await controllers.close();
      await client.close();
      await server.close();
    },
  };
}
