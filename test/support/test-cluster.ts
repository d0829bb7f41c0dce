import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import { startApiServer } from "../../local/api-server/server.ts";
import { ClusterClient } from "../../local/cluster/client.ts";
import { startControllers } from "../../local/controllers/controllers.ts";
import type { Program } from "../../local/kubelet/programs.ts";
import { systemClock } from "../../operator/kube/clock.ts";
import { isNotFound } from "../../operator/kube/errors.ts";
import { collectionPath } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { KubeTransport } from "../../operator/kube/transport.ts";
import { startOperator } from "../../operator/operator.ts";
import type { Operator } from "../../operator/operator.ts";
import { eventually } from "./eventually.ts";
import { installCrds } from "./install-crds.ts";
import { startInstantKubelet } from "./instant-kubelet.ts";
import { startLocalKubelet } from "./local-kubelet.ts";
import { testOperatorConfig } from "./operator-config.ts";
import { startControlPlane } from "./real-control-plane.ts";
import { nodes } from "./resource-types.ts";

export interface TestCluster {
  readonly kubeConfig: KubeConfig;
  readonly kubeconfigFile: string;
  readonly client: KubeTransport;
  /** A namespace of the test's own, gone with the cluster or at its end. */
  readonly namespace: string;
  /** Kills the API server's process and starts it again so much later; only where it is the test's own process. */
  readonly restartApiServer?: (awayMs: number) => Promise<void>;
  /** An operator of this process that watches the namespace, until the cluster is closed if nobody stops it before. */
  startOperator(settings?: OperatorSettings): Promise<Operator>;
  close(): Promise<void>;
}

interface OperatorSettings {
  readonly scaleDownDelaySeconds?: number;
  readonly leaderElection?: boolean;
  readonly mlflowPollSeconds?: number;
  readonly onLeadershipLost?: (reason: string) => void;
}

const silent = pino({ level: "silent" });

/** How pods come to run: at once and without processes, or as processes of this machine. */
export type Pods = "instant" | "processes";

/**
 * The cluster that the environment names: KUBECONFIG a running one, KUBEBUILDER_ASSETS a folder of a real control
 * plane's binaries; else the embedded one. The CRD is installed.
 */
export async function startTestCluster(pods: Pods, programs: readonly Program[] = []): Promise<TestCluster> {
  const stack = new AsyncDisposableStack();
  try {
    const { kubeconfigFile, restartApiServer } = await startServer(stack);
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(kubeconfigFile);
    const client = new KubeTransport(kubeConfig, { userAgent: "slipway-test" });
    stack.defer(() => client.close());
    await installCrds(client);
    await startPods(pods, programs, kubeconfigFile, client, stack);
    const namespace = await createNamespace(client, stack);
    return {
      kubeConfig,
      kubeconfigFile,
      client,
      namespace,
      ...(restartApiServer && { restartApiServer }),
      startOperator: async (settings = {}) => {
        const operator = await operatorFor(kubeConfig, namespace, settings);
        stack.defer(() => operator.stop());
        return operator;
      },
      close: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function startServer(
  stack: AsyncDisposableStack,
): Promise<{ kubeconfigFile: string } & Pick<TestCluster, "restartApiServer">> {
  const { KUBECONFIG, KUBEBUILDER_ASSETS } = process.env;
  if (KUBECONFIG) return { kubeconfigFile: KUBECONFIG };
  if (KUBEBUILDER_ASSETS) {
    const controlPlane = await startControlPlane(KUBEBUILDER_ASSETS);
    stack.defer(() => controlPlane.close());
    return { kubeconfigFile: controlPlane.kubeconfig, restartApiServer: controlPlane.restartApiServer };
  }
  const folder = await mkdtemp(join(tmpdir(), "embedded-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const server = await startApiServer();
  stack.defer(() => server.close());
  const file = join(folder, "kubeconfig");
  await writeFile(file, server.kubeconfig());
  const controllers = await startControllers({ client: await connect(file, stack), logger: silent });
  stack.defer(() => controllers.close());
  return { kubeconfigFile: file };
}

async function connect(kubeconfig: string, stack: AsyncDisposableStack): Promise<ClusterClient> {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfig);
  const client = await ClusterClient.connect(kubeConfig);
  stack.defer(() => client.close());
  return client;
}

async function startPods(
  pods: Pods,
  programs: readonly Program[],
  kubeconfig: string,
  client: KubeTransport,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { items } = await client.request<{ items: KubeObject[] }>("GET", collectionPath(nodes));
  if (pods === "processes") {
    const others = items.map(({ metadata }) => metadata.name);
    if (others.length > 0)
      throw new Error(`this suite runs pods as processes, but the cluster has nodes already: ${others.join(", ")}`);
    const kubelet = await startLocalKubelet(kubeconfig, programs);
    stack.defer(() => kubelet.close());
  } else if (items.length === 0) {
    const kubelet = await startInstantKubelet({ client: await connect(kubeconfig, stack), logger: silent });
    stack.defer(() => kubelet.close());
  }
}

async function createNamespace(client: KubeTransport, stack: AsyncDisposableStack): Promise<string> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { generateName: "slipway-test-" } };
  const { metadata } = await client.request<KubeObject>("POST", "/api/v1/namespaces", { body });
  const path = `/api/v1/namespaces/${metadata.name}`;
  stack.defer(async () => {
    await client.request("DELETE", path).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    await eventually(async () => {
      const rest = await client.request(
        "GET",
        collectionPath({ group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true }, metadata.name),
      );
      if ((rest as { items: unknown[] }).items.length > 0) throw new Error(`pods of ${metadata.name} are still there`);
    }, 60_000);
  });
  return metadata.name;
}

async function operatorFor(kubeConfig: KubeConfig, namespace: string, settings: OperatorSettings): Promise<Operator> {
  const { scaleDownDelaySeconds = 1, leaderElection = false, mlflowPollSeconds = 60, onLeadershipLost } = settings;
  const ignore = (): void => {};
  return startOperator({
    kubeConfig,
    config: testOperatorConfig(namespace, {
      scaleDownDelaySeconds,
      mlflowHosts: ["127.0.0.1"],
      mlflowPollSeconds,
      leaderElection: leaderElection ? { namespace } : undefined,
    }),
    clock: systemClock,
    log: { debug: ignore, info: ignore, warn: ignore, error: (fields, message) => console.error(message, fields) },
    onLeadershipLost: onLeadershipLost ?? ((reason) => console.error(`leadership lost: ${reason}`)),
  });
}
