import type { ClusterConfig, ClustersFile, Endpoint } from "./clusters-file.ts";
import { UpstreamEndpoint } from "./endpoint.ts";

export interface Upstream {
  readonly name: string;
  readonly endpoints: readonly UpstreamEndpoint[];
}

/** All clusters. A change of the file keeps the connections and the health of endpoints that stay. */
export class Upstreams {
  version = "";
  #clusters = new Map<string, Upstream>();

  /** In effect at once; the promise resolves when every new endpoint had its first health check. */
  async apply({ version, clusters }: ClustersFile): Promise<void> {
    const before = this.#endpoints();
    this.#clusters = new Map(clusters.map((cluster) => [cluster.name, this.#upstream(cluster)]));
    this.version = version;
    const after = this.#endpoints();
    for (const endpoint of before.difference(after)) void endpoint.close();
    await Promise.all([...after.difference(before)].map((endpoint) => endpoint.startChecking()));
  }

  get(name: string): Upstream | undefined {
    return this.#clusters.get(name);
  }

  all(): readonly Upstream[] {
    return [...this.#clusters.values()];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#endpoints()].map((endpoint) => endpoint.close()));
  }

  #upstream({ name, endpoints, healthPath }: ClusterConfig): Upstream {
    const known = this.#clusters.get(name)?.endpoints ?? [];
    return {
      name,
      endpoints: endpoints.map(
        (address) =>
          known.find((endpoint) => sameAddress(endpoint.address, address)) ?? new UpstreamEndpoint(address, healthPath),
      ),
    };
  }

  #endpoints(): Set<UpstreamEndpoint> {
    return new Set(this.all().flatMap(({ endpoints }) => endpoints));
  }
}

/**
 * The least busy of the healthy endpoints that were not tried yet. With none healthy any will do: a draining pod
 * still answers, and no answer is certain otherwise.
 */
export function pickEndpoint(
  { endpoints }: Upstream,
  tried: ReadonlySet<UpstreamEndpoint>,
  random: () => number,
): UpstreamEndpoint | undefined {
  const healthy = endpoints.filter((endpoint) => endpoint.healthy);
  const usable = healthy.length > 0 ? healthy : endpoints;
  const untried = usable.filter((endpoint) => !tried.has(endpoint));
  const candidates = untried.length > 0 ? untried : usable;
  const leastBusy = Math.min(...candidates.map(({ active }) => active));
  const idlest = candidates.filter(({ active }) => active === leastBusy);
  return idlest[Math.floor(random() * idlest.length)];
}

function sameAddress(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port;
}
