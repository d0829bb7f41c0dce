import { KubeConfig } from "@kubernetes/client-node";
import { pino } from "pino";
import type { Program } from "../../local/kubelet/programs.ts";
import { systemClock } from "../../operator/kube/clock.ts";
import { isNotFound } from "../../operator/kube/errors.ts";
import { collectionPath, pods } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { KubeTransport } from "../../operator/kube/transport.ts";
import { startOperator } from "../../operator/operator.ts";
import type { Operator } from "../../operator/operator.ts";
import { connect, startEmbeddedCluster } from "./embedded-cluster.ts";
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
    const { kubeconfigFile, restartApiServer, outlivesTests } = await startServer(stack);
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(kubeconfigFile);
    const client = new KubeTransport(kubeConfig, { userAgent: "slipway-test" });
    stack.defer(() => client.close());
    await installCrds(client);
    await startPods(pods, programs, kubeconfigFile, client, stack);
    const namespace = await createNamespace(client);
    if (outlivesTests) stack.defer(() => deleteNamespace(client, namespace));
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

interface Server extends Pick<TestCluster, "kubeconfigFile" | "restartApiServer"> {
  readonly outlivesTests?: boolean;
}

async function startServer(stack: AsyncDisposableStack): Promise<Server> {
  const { KUBECONFIG, KUBEBUILDER_ASSETS } = process.env;
  if (KUBECONFIG) return { kubeconfigFile: KUBECONFIG, outlivesTests: true };
  if (KUBEBUILDER_ASSETS) {
    const controlPlane = await startControlPlane(KUBEBUILDER_ASSETS);
    stack.defer(() => controlPlane.close());
    return { kubeconfigFile: controlPlane.kubeconfig, restartApiServer: controlPlane.restartApiServer };
  }
  return { kubeconfigFile: await startEmbeddedCluster(stack) };
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

async function createNamespace(client: KubeTransport): Promise<string> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { generateName: "slipway-test-" } };
  const { metadata } = await client.request<KubeObject>("POST", "/api/v1/namespaces", { body });
  return metadata.name;
}

/** Resolves when its pods are gone: the next suite finds no processes of this one. */
async function deleteNamespace(client: KubeTransport, name: string): Promise<void> {
  await client.request("DELETE", `/api/v1/namespaces/${name}`).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  await eventually(async () => {
    const { items } = await client.request<{ items: KubeObject[] }>("GET", collectionPath(pods, name));
    if (items.length > 0) throw new Error(`pods of ${name} are still there`);
  }, 60_000);
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
