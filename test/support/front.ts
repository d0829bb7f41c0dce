import type { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { ClusterClient } from "../../local/cluster/client.ts";
import { ClusterView } from "../../local/cluster/view.ts";
import { ServiceProxy } from "../../local/service-proxy/service-proxy.ts";
import { eventually } from "./eventually.ts";

/** The way to front Services from outside of the cluster, for suites whose pods are processes of this machine. */
export interface Fronts {
  /** Port on 127.0.0.1; waits until the Service is there. */
  portOf(namespace: string, name: string): Promise<number>;
  close(): Promise<void>;
}

export async function openFronts(kubeConfig: KubeConfig): Promise<Fronts> {
  const logger = pino({ level: "silent" });
  const client = await ClusterClient.connect(kubeConfig);
  const view = new ClusterView(client, logger);
  await view.start();
  const proxy = ServiceProxy.start({ client, view, firstPort: 20_000, logger });
  return {
    portOf: (namespace, name) =>
      eventually(() => {
        const address = proxy.addressOf(namespace, name);
        if (address === undefined) throw new Error(`Service ${namespace}/${name} is not reachable yet`);
        return address.port;
      }),
    close: async () => {
      await proxy.close();
      await view.close();
      await client.close();
    },
  };
}
