import { mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import { startApiServer } from "../api-server/server.ts";
import { ClusterClient } from "../cluster/client.ts";
import { ClusterView } from "../cluster/view.ts";
import type { MachineConfig } from "../config.ts";
import { startControllers } from "../controllers/controllers.ts";
import { Kubelet } from "../kubelet/kubelet.ts";
import { slipwayPrograms } from "../kubelet/programs.ts";
import { ServiceProxy } from "../service-proxy/service-proxy.ts";

/** Local routers hear of a pod that goes at once; a second lets them act on it. */
const LONGEST_PRE_STOP_SECONDS = 1;

interface LocalClusterOptions {
  machine: MachineConfig;
  stateFolder: string;
  /** Where the kubeconfig is written. */
  kubeconfig: string;
  /** Services get this port and the ones above. */
  firstPort: number;
  logger: Logger;
}

/** API server, controllers, one node and the way in, all in this process; only containers are processes of their own. */
export interface LocalCluster {
  url: string;
  client: ClusterClient;
  view: ClusterView;
  proxy: ServiceProxy;
  kubelet: Kubelet;
  close(): Promise<void>;
  /** SIGKILL to all containers, when `close` takes too long. */
  kill(): void;
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { machine, stateFolder, kubeconfig, firstPort, logger } = options;
  const closing = new AsyncDisposableStack();
  try {
    const node: { kubelet?: Kubelet } = {}; // the API server asks it for logs, and must be there before it
    const apiServer = await startApiServer({
      podLogs: {
        read: ({ namespace, name }, { signal, tailLines, sinceSeconds, limitBytes, ...flags }) => {
          if (node.kubelet === undefined) throw new Error("the kubelet has not started yet");
          const numbers = {
            ...(tailLines !== undefined && { tailLines }),
            ...(sinceSeconds !== undefined && { sinceSeconds }),
            ...(limitBytes !== undefined && { limitBytes }),
          };
          return node.kubelet.readLog({ namespace, pod: name, ...flags, ...numbers }, signal);
        },
      },
      onInternalError: (error, request) => logger.error({ err: error, request }, "the API server failed"),
    });
    closing.defer(() => apiServer.close());
    mkdirSync(dirname(kubeconfig), { recursive: true });
    writeFileSync(kubeconfig, apiServer.kubeconfig());

    const client = ClusterClient.plain(apiServer.url);
    closing.defer(() => client.close());
    const controllers = await startControllers({ client, logger });
    closing.defer(() => controllers.close());
    const view = new ClusterView(client, logger);
    closing.defer(() => view.close());
    await view.start();

    const kubelet = await Kubelet.start({
      client,
      view,
      folder: join(stateFolder, "kubelet"),
      programs: slipwayPrograms(machine.envoy),
      executablePath: machine.executablePath,
      launcher: machine.tiedToParent,
      longestPreStopSeconds: LONGEST_PRE_STOP_SECONDS,
      nodeName: hostname().toLowerCase(),
      logger,
    });
    node.kubelet = kubelet;
    closing.defer(() => kubelet.close());

    const proxy = ServiceProxy.start({ client, view, firstPort, logger });
    closing.defer(() => proxy.close());
    return {
      url: apiServer.url,
      client,
      view,
      proxy,
      kubelet,
      close: () => closing.disposeAsync(),
      kill: () => kubelet.kill(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}
