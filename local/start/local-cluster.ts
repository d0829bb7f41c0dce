import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import { startApiServer, type ApiServer, type ApiServerOptions } from "../api-server/server.ts";
import { ClusterClient } from "../cluster/client.ts";
import { ClusterView } from "../cluster/view.ts";
import type { MachineConfig } from "../config.ts";
import { startControllers } from "../controllers/controllers.ts";
import { Kubelet } from "../kubelet/kubelet.ts";
import { slipwayPrograms } from "../kubelet/programs.ts";
import { ServiceProxy } from "../service-proxy/service-proxy.ts";
import { endFormerRun } from "./former-run.ts";

/** Local routers hear of a pod that goes at once; a second lets them act on it. */
const LONGEST_PRE_STOP_SECONDS = 1;
/** Not the machine's name, which changes from network to network: pods are bound to the node across restarts. */
const NODE_NAME = "local";
/** In the state folder: the cluster's objects. */
export const STATE_FILE = "state.db";

interface LocalClusterOptions {
  machine: MachineConfig;
  stateFolder: string;
  /** Where the kubeconfig is written. */
  kubeconfig: string;
  /** Services get this port and the ones above. */
  firstPort: number;
  /** A port that the user asked for, for this Service (`namespace/name`) alone. */
  asked: { service: string; port: number } | undefined;
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
  const { machine, stateFolder, kubeconfig, firstPort, asked, logger } = options;
  const closing = new AsyncDisposableStack();
  try {
    const node: { kubelet?: Kubelet } = {}; // the API server asks it for logs, and must be there before it
    const apiServer = await startOnPort(formerPort(kubeconfig), {
      stateFile: join(stateFolder, STATE_FILE),
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
    await endFormerRun(client, NODE_NAME);
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
      programEnvironment: machine.programEnvironment,
      launcher: machine.tiedToParent,
      longestPreStopSeconds: LONGEST_PRE_STOP_SECONDS,
      nodeName: NODE_NAME,
      logger,
    });
    node.kubelet = kubelet;
    closing.defer(() => kubelet.close());

    const proxy = ServiceProxy.start({ client, view, firstPort, asked, logger });
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

/** The former run's port, so that kubeconfigs which were copied from the old one go on working; else a free one. */
async function startOnPort(port: number, options: ApiServerOptions): Promise<ApiServer> {
  try {
    return await startApiServer({ ...options, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return startApiServer(options);
  }
}

/** 0 when there was no former run. */
function formerPort(kubeconfig: string): number {
  try {
    return Number(/^ *server: http:\/\/127\.0\.0\.1:(\d+)$/m.exec(readFileSync(kubeconfig, "utf8"))?.[1] ?? 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}
