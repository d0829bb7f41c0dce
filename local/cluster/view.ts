import type { Logger } from "pino";
import type { ClusterClient } from "./client.ts";
import { Mirror } from "./mirror.ts";
import type { ConfigMap, Pod, Secret, Service } from "./objects.ts";

/** What the node's programs see of the cluster: local copies of the collections that pods are made of. */
export class ClusterView {
  readonly pods: Mirror<Pod>;
  readonly services: Mirror<Service>;
  readonly configMaps: Mirror<ConfigMap>;
  readonly secrets: Mirror<Secret>;

  constructor(client: ClusterClient, logger: Logger) {
    this.pods = new Mirror(client, "/api/v1/pods", logger);
    this.services = new Mirror(client, "/api/v1/services", logger);
    this.configMaps = new Mirror(client, "/api/v1/configmaps", logger);
    this.secrets = new Mirror(client, "/api/v1/secrets", logger);
  }

  /** Pods come last: who hears of a pod finds what it refers to. */
  async start(): Promise<void> {
    await Promise.all([this.services.start(), this.configMaps.start(), this.secrets.start()]);
    await this.pods.start();
  }

  async close(): Promise<void> {
    await Promise.all([this.pods.close(), this.services.close(), this.configMaps.close(), this.secrets.close()]);
  }
}
