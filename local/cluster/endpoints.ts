import type { Pod, Service } from "./objects.ts";

export interface Endpoint {
  address: string;
  port: number;
}

/**
 * Where a Service's pods listen, found as the EndpointSlice controller would: by selector, without pods that end or are
 * not ready. EndpointSlices themselves cannot say it, since they refuse loopback addresses.
 * `port` is the Service's port; of a headless Service it is the pods' own, as DNS has no port to map.
 */
export function serviceEndpoints(service: Service, port: number, pods: readonly Pod[]): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const pod of pods) {
    const address = pod.status?.podIP;
    if (address === undefined || !selects(service, pod) || !takesTraffic(service, pod)) continue;
    const target = targetPort(service, port, pod);
    if (target !== undefined) endpoints.push({ address, port: target });
  }
  return endpoints.sort((a, b) => (a.address < b.address ? -1 : 1));
}

function selects({ metadata, spec }: Service, pod: Pod): boolean {
  const selector = Object.entries(spec.selector ?? {});
  if (selector.length === 0 || pod.metadata.namespace !== metadata.namespace) return false;
  return selector.every(([name, value]) => pod.metadata.labels?.[name] === value);
}

function takesTraffic({ spec }: Service, pod: Pod): boolean {
  if (spec.publishNotReadyAddresses === true) return true;
  return pod.metadata.deletionTimestamp === undefined && isReady(pod);
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

function targetPort({ spec }: Service, port: number, pod: Pod): number | undefined {
  if (spec.clusterIP === "None") return port;
  const target = spec.ports?.find((candidate) => candidate.port === port)?.targetPort ?? port;
  return typeof target === "number" ? target : containerPort(pod, target);
}

/** A pod's port by name, or undefined when no container has it. */
function containerPort(pod: Pod, name: string): number | undefined {
  return pod.spec.containers.flatMap(({ ports }) => ports ?? []).find((port) => port.name === name)?.containerPort;
}
