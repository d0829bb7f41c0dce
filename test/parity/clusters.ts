import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { startApiServer } from "../../local/api-server/server.ts";
import { ClusterClient } from "../../local/cluster/client.ts";
import { startControllers } from "../../local/controllers/controllers.ts";
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

const silent = pino({ level: "silent" });

/** The embedded cluster, and the one of KUBECONFIG, which needs controllers and nodes of its own. */
export async function startClusters(namespace: string): Promise<Clusters> {
  const real = process.env["KUBECONFIG"];
  if (!real) throw new Error("this suite needs KUBECONFIG: a cluster with controllers and nodes");
  const stack = new AsyncDisposableStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "parity-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const server = await startApiServer();
    stack.defer(() => server.close());
    const embedded = join(folder, "kubeconfig");
    await writeFile(embedded, server.kubeconfig());
    const client = await connect(embedded, stack);
    const controllers = await startControllers({ client, logger: silent });
    stack.defer(() => controllers.close());
    const kubelet = await startInstantKubelet({ client, logger: silent });
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

async function connect(kubeconfig: string, stack: AsyncDisposableStack): Promise<ClusterClient> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const client = await ClusterClient.connect(config);
  stack.defer(() => client.close());
  return client;
}
