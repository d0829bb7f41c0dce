import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { startApiServer } from "../../local/api-server/server.ts";
import { ClusterClient } from "../../local/cluster/client.ts";
import { startControllers } from "../../local/controllers/controllers.ts";

/** An embedded API server until the stack is disposed of. @returns the path of its kubeconfig */
export async function startEmbeddedApiServer(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "embedded-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const server = await startApiServer();
  stack.defer(() => server.close());
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, server.kubeconfig());
  return kubeconfig;
}

/** The same with controllers, but no node. @returns the path of its kubeconfig */
export async function startEmbeddedCluster(stack: AsyncDisposableStack): Promise<string> {
  const kubeconfig = await startEmbeddedApiServer(stack);
  const controllers = await startControllers({
    client: await connect(kubeconfig, stack),
    logger: pino({ level: "silent" }),
  });
  stack.defer(() => controllers.close());
  return kubeconfig;
}

export async function connect(kubeconfig: string, stack: AsyncDisposableStack): Promise<ClusterClient> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const client = await ClusterClient.connect(config);
  stack.defer(() => client.close());
  return client;
}
