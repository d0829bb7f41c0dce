import type { Logger } from "pino";
import type { ClusterClient } from "../cluster/client.ts";
import { Mirror } from "../cluster/mirror.ts";
import type { KubeObject } from "../cluster/objects.ts";

/** One kind that can be listed, watched and deleted. */
export interface ListedResource {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  mirror: Mirror<KubeObject>;
}

interface ResourceList {
  groupVersion: string;
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

type Listener = (change: { resource: ListedResource; object: KubeObject; isGone: boolean }) => void;

const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Local copies of every kind of the cluster, custom ones included: what the garbage collector and namespace deletion look at. */
export class AllResources {
  private readonly client: ClusterClient;
  private readonly logger: Logger;
  private readonly resources = new Map<string, ListedResource>();
  private readonly listeners = new Set<Listener>();
  private readonly definitions: Mirror<KubeObject>;
  private refreshing: Promise<void> = Promise.resolve();

  constructor(client: ClusterClient, logger: Logger) {
    this.client = client;
    this.logger = logger;
    this.definitions = new Mirror(client, definitionsPath, logger);
  }

  async start(): Promise<void> {
    await this.refresh();
    this.definitions.subscribe(() => {
      this.refreshing = this.refreshing
        .then(() => this.refresh())
        .catch((error: unknown) => {
          this.logger.debug({ err: error }, "discovery failed; the next change of a CRD tries again");
        });
    });
    await this.definitions.start();
  }

  list(): ListedResource[] {
    return [...this.resources.values()];
  }

  find(apiVersion: string, kind: string): ListedResource | undefined {
    return this.list().find(
      (resource) => resource.kind === kind && groupOf(resource.apiVersion) === groupOf(apiVersion),
    );
  }

  subscribe(listener: Listener): void {
    this.listeners.add(listener);
  }

  async close(): Promise<void> {
    await this.definitions.close();
    await this.refreshing;
    await Promise.all(this.list().map(({ mirror }) => mirror.close()));
  }

  /** Asks the server what it serves, begins to copy what is new and forgets what is gone. */
  private async refresh(): Promise<void> {
    const served = await this.discover();
    for (const [path, resource] of this.resources) {
      if (served.has(path)) continue;
      this.resources.delete(path);
      await resource.mirror.close();
    }
    const starting: Promise<void>[] = [];
    for (const [path, description] of served) {
      if (this.resources.has(path)) continue;
      const resource = { ...description, mirror: new Mirror<KubeObject>(this.client, path, this.logger) };
      this.resources.set(path, resource);
      resource.mirror.subscribe(({ type, object }) => {
        for (const listener of this.listeners) listener({ resource, object, isGone: type === "deleted" });
      });
      starting.push(resource.mirror.start());
    }
    await Promise.all(starting);
  }

  private async discover(): Promise<Map<string, Omit<ListedResource, "mirror">>> {
    const groups = await this.client.request<{ groups: { preferredVersion: { groupVersion: string } }[] }>(
      "GET",
      "/apis",
    );
    const paths = ["/api/v1", ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
    const lists = await Promise.all(
      paths.map(async (path) => ({ path, list: await this.client.request<ResourceList>("GET", path) })),
    );
    const served = new Map<string, Omit<ListedResource, "mirror">>();
    for (const { path, list } of lists) {
      for (const { name, kind, namespaced, verbs } of list.resources) {
        if (name.includes("/") || !verbs.includes("watch") || !verbs.includes("delete") || kind === "Event") continue;
        served.set(`${path}/${name}`, { apiVersion: list.groupVersion, kind, plural: name, namespaced });
      }
    }
    return served;
  }
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

/** The path of one object of a listed kind. */
export function pathOf({ apiVersion, plural }: ListedResource, namespace: string | undefined, name: string): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${root}${namespace ? `/namespaces/${namespace}` : ""}/${plural}/${name}`;
}
