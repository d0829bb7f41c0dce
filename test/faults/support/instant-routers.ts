import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { pino } from "pino";
import { parse } from "yaml";
import { hasStatus } from "../../../local/cluster/client.ts";
import type { ClusterClient } from "../../../local/cluster/client.ts";
import { Mirror } from "../../../local/cluster/mirror.ts";
import type { Pod } from "../../../local/cluster/objects.ts";
import { COMPONENTS, LABELS, childNames } from "../../../operator/api/names.ts";
import { CONFIG_FILES, ROUTER_PORTS } from "../../../operator/traffic/envoy-bootstrap.ts";
import { grpcCluster } from "../../../operator/traffic/envoy-clusters.ts";
import { REPORT_PATHS } from "../../../operator/traffic/router-report.ts";

/** Each router pod gets an address in this network; several processes may do so at once. */
const NETWORK = `127.${128 + (process.pid % 100)}`;

interface Resources {
  readonly version_info: string;
  readonly resources: readonly { readonly name: string }[];
}

interface Router {
  readonly address: string;
  readonly server: Server;
}

/** Plays the routers of pods that are no processes: each says at its status port that it applies what is written. */
export class InstantRouters implements AsyncDisposable {
  readonly #client: ClusterClient;
  readonly #pods: Mirror<Pod>;
  readonly #routers = new Map<string, Router>();
  readonly #pending = new Set<Promise<void>>();
  /** Another process may play the routers of another namespace of the same cluster. */
  readonly #isOurs: (namespace: string) => boolean;
  #addresses = 0;

  private constructor(client: ClusterClient, isOurs: (namespace: string) => boolean) {
    this.#client = client;
    this.#isOurs = isOurs;
    this.#pods = new Mirror<Pod>(client, "/api/v1/pods", pino({ level: "silent" }));
  }

  static async start(client: ClusterClient, isOurs: (namespace: string) => boolean): Promise<InstantRouters> {
    const routers = new InstantRouters(client, isOurs);
    routers.#pods.subscribe(({ type, object }) => routers.#see(type === "deleted", object));
    await routers.#pods.start();
    return routers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pods.close();
    await Promise.all(this.#pending);
    for (const uid of this.#routers.keys()) this.#close(uid);
  }

  #see(isGone: boolean, pod: Pod): void {
    const { uid, namespace, labels = {} } = pod.metadata;
    if (!this.#isOurs(namespace)) return;
    if (isGone) return this.#close(uid);
    const podIP = pod.status?.podIP;
    if (labels[LABELS.component] !== COMPONENTS.router || podIP === undefined) return;
    const router = this.#routers.get(uid) ?? this.#open(pod);
    if (podIP === router.address) return;
    const work = this.#move(pod, router).finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }

  #open(pod: Pod): Router {
    this.#addresses += 1;
    const address = `${NETWORK}.${Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`;
    const server = createServer((request, response) => void this.#answer(pod, request, response));
    const router = { address, server: server.listen(ROUTER_PORTS.status, address) };
    this.#routers.set(pod.metadata.uid, router);
    return router;
  }

  /** Gives the pod its router's address, and again when the one that plays the kubelet reports its own once more. */
  async #move({ metadata }: Pod, { address }: Router): Promise<void> {
    const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`;
    const body = { metadata: { uid: metadata.uid }, status: { podIP: address, podIPs: [{ ip: address }] } };
    try {
      await this.#client.request("PATCH", path, { patch: "merge", body });
    } catch (error) {
      if (!hasStatus(error, 404, 409)) throw error; // the pod has gone on without us
    }
  }

  #close(uid: string): void {
    const server = this.#routers.get(uid)?.server;
    this.#routers.delete(uid);
    server?.close();
    server?.closeAllConnections();
  }

  async #answer({ metadata }: Pod, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const name = metadata.labels?.[LABELS.modelDeployment] ?? "";
      const path = `/api/v1/namespaces/${metadata.namespace}/configmaps/${childNames.traffic(name)}`;
      const { data } = await this.#client.request<{ data: Record<string, string> }>("GET", path);
      const clusters = parse(data[CONFIG_FILES.clusters] ?? "") as Resources;
      const routes = parse(data[CONFIG_FILES.routes] ?? "") as Resources;
      const answers: Record<string, string> = {
        [REPORT_PATHS.ready]: "LIVE\n",
        [REPORT_PATHS.clustersVersion]: `cluster_manager.cds.version_text: ${JSON.stringify(clusters.version_info)}\n`,
        [REPORT_PATHS.clusters]: JSON.stringify({ cluster_statuses: this.#clusterStatuses(metadata, clusters) }),
        [REPORT_PATHS.routesHash]: routes.version_info,
      };
      response.end(answers[request.url ?? ""]);
    } catch (error) {
      response.writeHead(503).end(String(error)); // its ConfigMap is not there yet, or not any more
    }
  }

  #clusterStatuses({ namespace }: Pod["metadata"], { resources }: Resources): object[] {
    const ready = this.#pods.list().filter((pod) => pod.metadata.namespace === namespace && isReady(pod));
    return resources.map(({ name }) => ({
      name,
      added_via_api: true,
      host_statuses: ready
        .filter((pod) => serves(pod, name))
        .map(() => ({ health_status: { eds_health_status: "HEALTHY" } })),
    }));
  }
}

/** A revision's pods stand in two clusters, its own and that of its gRPC port. */
function serves({ metadata }: Pod, cluster: string): boolean {
  const revision = metadata.labels?.[LABELS.revision];
  return revision !== undefined && (cluster === revision || cluster === grpcCluster(revision));
}

function isReady({ metadata, status }: Pod): boolean {
  const conditions = (status?.conditions ?? []) as readonly { type: string; status: string }[];
  const isGoing = metadata.deletionTimestamp !== undefined;
  return !isGoing && conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
}
