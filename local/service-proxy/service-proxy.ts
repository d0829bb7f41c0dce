import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import { serviceEndpoints } from "../cluster/endpoints.ts";
import { keyOf, type Service } from "../cluster/objects.ts";
import type { ClusterView } from "../cluster/view.ts";
import { Forwarder } from "./forwarder.ts";

const HOST = "127.0.0.1";
const FRONT_LABEL = ["app.kubernetes.io/component", "front"] as const;

interface ServiceProxyOptions {
  client: ClusterClient;
  /** Started by the caller, who may share it. */
  view: ClusterView;
  /** Services get this port of 127.0.0.1 and the ones above, whichever are free. */
  firstPort: number;
  /** This port is kept for this Service (`namespace/name`) alone. */
  asked?: { service: string; port: number } | undefined;
  logger: Logger;
}

/**
 * Makes Services that are meant for the outside reachable on 127.0.0.1, as a cloud's load balancer and kube-proxy would
 * together. A Service keeps its port as long as it exists, and gets it again after a restart when it is free.
 */
export class ServiceProxy {
  private readonly options: ServiceProxyOptions;
  private readonly forwarders = new Map<string, Forwarder>();
  private readonly opening = new Map<string, Promise<void>>();
  /** One at a time, the oldest Service first: the same Services get the same ports at each start. */
  private turn: Promise<void> = Promise.resolve();
  private planned = false;
  private closed = false;

  private constructor(options: ServiceProxyOptions) {
    this.options = options;
  }

  static start(options: ServiceProxyOptions): ServiceProxy {
    const proxy = new ServiceProxy(options);
    options.view.services.subscribe(() => proxy.plan());
    options.view.pods.subscribe(() => proxy.plan());
    proxy.plan();
    return proxy;
  }

  /** Where a Service is reachable, or undefined while it is not. */
  addressOf(namespace: string, name: string): { host: string; port: number } | undefined {
    const forwarder = this.forwarders.get(`${namespace}/${name}`);
    return forwarder === undefined ? undefined : { host: HOST, port: forwarder.port };
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.opening.values());
    await Promise.all([...this.forwarders.values()].map((forwarder) => forwarder.close()));
    this.forwarders.clear();
  }

  /** Once for all changes of this turn. */
  private plan(): void {
    if (this.planned) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      if (!this.closed) this.reconcile();
    });
  }

  private reconcile(): void {
    const wanted = new Map(
      this.options.view.services
        .list()
        .filter(isForTheOutside)
        .toSorted(byAge)
        .map((service) => [keyOf(service), service]),
    );
    for (const [key, service] of wanted) {
      const forwarder = this.forwarders.get(key);
      if (forwarder !== undefined) this.point(forwarder, service);
      else if (!this.opening.has(key)) {
        this.turn = this.turn.then(() => this.open(key, service));
        this.opening.set(key, this.turn);
      }
    }
    for (const [key, forwarder] of this.forwarders) {
      if (wanted.has(key)) continue;
      this.forwarders.delete(key);
      void forwarder.close();
    }
  }

  private async open(key: string, service: Service): Promise<void> {
    const { firstPort, asked, logger } = this.options;
    try {
      const forwarder =
        key === asked?.service
          ? await Forwarder.listen(HOST, asked.port)
          : await Forwarder.listen(HOST, portOf(service) ?? firstPort, asked?.port);
      this.forwarders.set(key, forwarder);
      this.point(forwarder, service);
      logger.info({ service: key, port: forwarder.port }, "a service is reachable");
      if (service.spec.type === "LoadBalancer") await this.reportIngress(service, forwarder.port);
    } catch (error) {
      logger.error({ err: error, service: key }, "making a service reachable failed");
    } finally {
      this.opening.delete(key);
      this.plan(); // it may have changed or gone meanwhile
    }
  }

  private point(forwarder: Forwarder, service: Service): void {
    const port = service.spec.ports?.[0]?.port;
    forwarder.targets = port === undefined ? [] : serviceEndpoints(service, port, this.options.view.pods.list());
  }

  private async reportIngress({ metadata: { namespace, name }, status }: Service, port: number): Promise<void> {
    const loadBalancer = { ingress: [{ ip: HOST, ipMode: "Proxy", ports: [{ port, protocol: "TCP" }] }] };
    if (isDeepStrictEqual(status?.loadBalancer, loadBalancer)) return;
    try {
      const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
      await this.options.client.request("PATCH", path, { patch: "merge", body: { status: { loadBalancer } } });
    } catch (error) {
      if (!hasStatus(error, 404)) throw error; // deleted meanwhile
    }
  }
}

/** The port that a former run reported. */
function portOf({ status }: Service): number | undefined {
  return status?.loadBalancer?.ingress?.[0]?.ports?.[0]?.port;
}

function byAge(a: Service, b: Service): number {
  const [born, bornB] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? "") as [string, string];
  return born.localeCompare(bornB) || keyOf(a).localeCompare(keyOf(b));
}

function isForTheOutside({ metadata, spec }: Service): boolean {
  const [label, value] = FRONT_LABEL;
  return metadata.labels?.[label] === value || spec.type === "LoadBalancer" || spec.type === "NodePort";
}
