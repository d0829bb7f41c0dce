import { isMap, isSeq, parseDocument, visit, type Document, type YAMLMap } from "yaml";
import { serviceEndpoints, type Endpoint } from "../cluster/endpoints.ts";
import type { Pod, Service } from "../cluster/objects.ts";

/**
 * What a router's config needs to work on a machine without cluster DNS and with all pods in one network namespace.
 * Nothing else of it is touched; routes stay byte-identical.
 */

/** `name.namespace.svc[.…]`, perhaps with a closing dot */
const SERVICE_NAME = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.|$)/;
const DNS_FIELDS = [
  "dns_refresh_rate",
  "dns_failure_refresh_rate",
  "dns_lookup_family",
  "respect_dns_ttl",
  "dns_jitter",
];
const ANY_OR_LOOPBACK = new Set(["0.0.0.0", "127.0.0.1", "::"]);

export interface Cluster {
  service(namespace: string, name: string): Service | undefined;
  pods(): readonly Pod[];
}

/** Clusters that name a Service by DNS become STATIC ones with an endpoint for each of its ready pods. */
export function localClusters(text: string, cluster: Cluster): string {
  const document = parseDocument(text);
  const resources = document.get("resources");
  if (!isSeq(resources)) return text;
  for (const resource of resources.items) if (isMap(resource)) resolveCluster(document, resource, cluster);
  return document.toString({ lineWidth: 0 });
}

/** A bootstrap whose listeners bind the pod's own address, so that several routers live on one machine. */
export function localBootstrap(text: string, podIP: string, localise: (path: string) => string): string {
  const document = parseDocument(text);
  visit(document, {
    Pair(_, { key, value }) {
      if (!isStringScalar(key) || !isStringScalar(value)) return;
      if (key.value === "address" && ANY_OR_LOOPBACK.has(value.value)) value.value = podIP;
      if (value.value.startsWith("/")) value.value = localise(value.value);
    },
  });
  return document.toString({ lineWidth: 0 });
}

function resolveCluster(document: Document, resource: YAMLMap, cluster: Cluster): void {
  if (resource.get("type") !== "STRICT_DNS") return;
  const endpoints: Endpoint[] = [];
  for (const { address, port } of dnsEndpoints(resource)) {
    const [, name, namespace] = SERVICE_NAME.exec(address) ?? [];
    if (name === undefined || namespace === undefined) return; // a name of the outside world: DNS knows it
    const service = cluster.service(namespace, name);
    if (service !== undefined) endpoints.push(...serviceEndpoints(service, port, cluster.pods()));
  }
  resource.set("type", "STATIC");
  for (const field of DNS_FIELDS) resource.delete(field);
  resource.setIn(["load_assignment", "endpoints"], document.createNode([{ lb_endpoints: endpoints.map(lbEndpoint) }]));
}

interface LoadAssignment {
  endpoints?: {
    lb_endpoints?: { endpoint: { address: { socket_address: { address: string; port_value: number } } } }[];
  }[];
}

function dnsEndpoints(resource: YAMLMap): Endpoint[] {
  const { load_assignment: assignment } = resource.toJSON() as { load_assignment?: LoadAssignment };
  return (assignment?.endpoints ?? [])
    .flatMap((group) => group.lb_endpoints ?? [])
    .map(({ endpoint }) => endpoint.address.socket_address)
    .map(({ address, port_value: port }) => ({ address, port }));
}

function lbEndpoint({ address, port }: Endpoint): object {
  return { endpoint: { address: { socket_address: { address, port_value: port } } } };
}

function isStringScalar(node: unknown): node is { value: string } {
  return typeof node === "object" && node !== null && "value" in node && typeof node.value === "string";
}
