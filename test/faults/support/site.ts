import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { ClusterClient } from "../../../local/cluster/client.ts";
import { deleteObject } from "../../../operator/kube/apply.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { Fixture } from "../../integration/objects/fixture.ts";
import { eventually } from "../../support/eventually.ts";
import { namespaces } from "../../support/resource-types.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { InstantRouters } from "./instant-routers.ts";
import { OperatorProcess } from "./operator-process.ts";

/** An operator asks routers that do not follow again after a second. */
const QUIET_MS = 2_500;

const NOBODY_WORKS = [/^workqueue_depth\{.*\} 0$/m, /^controller_runtime_active_workers\{.*\} 0$/m];

/** A cluster whose pods and routers are ready at once, on which each test has a place of its own. */
export class FaultCluster implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly #stack: AsyncDisposableStack;
  readonly #namespaces: Set<string>;

  private constructor(cluster: TestCluster, namespaces: Set<string>, stack: AsyncDisposableStack) {
    this.cluster = cluster;
    this.#namespaces = namespaces;
    this.#stack = stack;
  }

  static async start(): Promise<FaultCluster> {
    const stack = new AsyncDisposableStack();
    try {
      const cluster = await startTestCluster("instant");
      stack.defer(() => cluster.close());
      const client = await ClusterClient.connect(cluster.kubeConfig);
      stack.defer(() => client.close());
      const ours = new Set<string>();
      stack.use(await InstantRouters.start(client, (namespace) => ours.has(namespace)));
      return new FaultCluster(cluster, ours, stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** A namespace, and a proxy through which its operators see the API server. */
  async site(): Promise<Site> {
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { generateName: "slipway-fault-" } };
    const { metadata } = await this.cluster.client.request<KubeObject>("POST", "/api/v1/namespaces", { body });
    this.#namespaces.add(metadata.name);
    const proxy = await FaultProxy.start(this.cluster.kubeConfig);
    const folder = await mkdtemp(join(tmpdir(), "fault-site-"));
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigText(proxy.url));
    return new Site(new Fixture({ ...this.cluster, namespace: metadata.name }), proxy, folder, kubeconfig);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** One namespace, its proxy and the operators that watch it. */
export class Site implements AsyncDisposable {
  readonly fixture: Fixture;
  readonly proxy: FaultProxy;
  readonly folder: string;
  readonly kubeconfig: string;
  readonly #operators: OperatorProcess[] = [];

  constructor(fixture: Fixture, proxy: FaultProxy, folder: string, kubeconfig: string) {
    this.fixture = fixture;
    this.proxy = proxy;
    this.folder = folder;
    this.kubeconfig = kubeconfig;
  }

  get namespace(): string {
    return this.fixture.cluster.namespace;
  }

  /** An operator that watches the namespace, stopped with the site; through another proxy than the site's if a kubeconfig is given. */
  startOperator(flags: readonly string[] = [], kubeconfig = this.kubeconfig): OperatorProcess {
    const operator = OperatorProcess.start({ kubeconfig, namespace: this.namespace, flags });
    this.#operators.push(operator);
    return operator;
  }

  /**
   * Once its operators have nothing left to do. An object may say that it is live while a router is still touched or its
   * report is on its way: nobody works, nothing waits, and for longer than an operator leaves routers alone came no write,
   * nor was it told anything late.
   */
  async idle(): Promise<void> {
    const alive = this.#operators.filter(({ hasEnded }) => !hasEnded);
    await eventually(async () => {
      for (const metrics of await Promise.all(alive.map((operator) => operator.metrics())))
        if (!NOBODY_WORKS.every((line) => line.test(metrics))) throw new Error(`an operator works:\n${metrics}`);
      const [last] = this.proxy.writes.slice(-1);
      if (last !== undefined && performance.now() - last.at < QUIET_MS)
        throw new Error(`${last.method} ${last.path} came within the last ${QUIET_MS} ms`);
      if (performance.now() - this.proxy.toldAt < QUIET_MS)
        throw new Error("what is told late has just been told, or will be");
    }, 60_000);
  }

  /** What its operators said last. */
  get output(): string {
    return this.#operators.map(({ output }) => output.join("\n")).join("\n---\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#operators.map((operator) => operator[Symbol.asyncDispose]()));
    await this.proxy[Symbol.asyncDispose]();
    await deleteObject(this.fixture.cluster.client, namespaces, { namespace: "", name: this.namespace });
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A kubeconfig for a server, with further fields of its cluster and its user. */
export function kubeconfigText(server: string, cluster: object = {}, user: object = {}): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "proxy", cluster: { server, ...cluster } }],
    users: [{ name: "operator", user }],
    contexts: [{ name: "proxy", context: { cluster: "proxy", user: "operator" } }],
    "current-context": "proxy",
  });
}
