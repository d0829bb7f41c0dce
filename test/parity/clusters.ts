import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { connect, startEmbeddedCluster } from "../support/embedded-cluster.ts";
import { startInstantKubelet } from "../support/instant-kubelet.ts";
import { Server } from "./servers.ts";
import type { Servers } from "./servers.ts";

/** Two clusters whose Deployments make pods that run at once, by the paths of their kubeconfigs. */
export interface Clusters {
  readonly embedded: string;
  readonly real: string;
  /** Made in both, gone at the end. */
  readonly namespace: string;
  close(): Promise<void>;
}

/** The embedded cluster, and the one of KUBECONFIG, which needs controllers and nodes of its own. */
export async function startClusters(namespace: string): Promise<Clusters> {
  const real = process.env["KUBECONFIG"];
  if (!real) throw new Error("this suite needs KUBECONFIG: a cluster with controllers and nodes");
  const stack = new AsyncDisposableStack();
  try {
    const embedded = await startEmbeddedCluster(stack);
    const client = await connect(embedded, stack);
    const kubelet = await startInstantKubelet({ client, logger: pino({ level: "silent" }) });
    stack.defer(() => kubelet.close());
    for (const each of [client, await connect(real, stack)]) {
      await each.request("POST", "/api/v1/namespaces", { body: { metadata: { name: namespace } } });
      stack.defer(async () => {
        await each.request("DELETE", `/api/v1/namespaces/${namespace}`);
      });
    }
    return { embedded, real, namespace, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** The API servers of two clusters with controllers. */
export async function startServersWithControllers(): Promise<Servers> {
  const stack = new AsyncDisposableStack();
  try {
    const clusters = await startClusters(`parity-${randomBytes(3).toString("hex")}`);
    stack.defer(() => clusters.close());
    const [embedded, real] = [await Server.connect(clusters.embedded), await Server.connect(clusters.real)];
    for (const server of [embedded, real]) stack.defer(() => server.close());
    return { embedded, real, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
