import { stringify } from "yaml";
import { fingerprint } from "./fingerprint.ts";

/** A revision as the router reaches it. */
export interface Backend {
  readonly revision: string;
  /** The name in `spec.versions`. */
  readonly version: string;
  /** DNS name of the revision's headless Service, `<service>.<namespace>.svc`: its addresses are the ready pods. */
  readonly serviceHost: string;
  readonly port: number;
  /** Absent when its pods speak no gRPC. */
  readonly grpcPort?: number;
}

export interface ClustersConfig {
  /** The content of `clusters.yaml`. */
  readonly text: string;
  /** What a router reports once it has taken these clusters. */
  readonly version: string;
}

/** The cluster of a revision's gRPC: the same pods, at another port and by another protocol. */
export const grpcCluster = (revision: string): string => `${revision}_grpc`;

/**
 * One cluster for each revision, two where it speaks gRPC, whether it has a share or not: a version without a share can
 * still be pinned.
 */
export function clustersConfig(backends: readonly Backend[]): ClustersConfig {
  const resources = backends.flatMap(({ revision, serviceHost, port, grpcPort }) => [
    cluster(revision, { serviceHost, port, ...HTTP }),
    ...(grpcPort === undefined ? [] : [cluster(grpcCluster(revision), { serviceHost, port: grpcPort, ...GRPC })]),
  ]);
  const version = fingerprint(resources);
  return {
    text: stringify({ version_info: version, resources }, { lineWidth: 0, aliasDuplicateObjects: false }),
    version,
  };
}

interface Upstream {
  readonly serviceHost: string;
  readonly port: number;
  readonly healthCheck: object;
  readonly protocol: object;
}

function cluster(name: string, { serviceHost, port, healthCheck, protocol }: Upstream) {
  return {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    name,
    type: "STRICT_DNS", // asks every 5 s, whatever TTL the cluster's DNS gives
    connect_timeout: "1s",
    lb_policy: "LEAST_REQUEST",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [{ endpoint: { address: { socket_address: { address: serviceHost, port_value: port } } } }],
        },
      ],
    },
    health_checks: [healthCheck],
    ignore_health_on_host_removal: true, // else a terminating pod keeps getting requests while it still looks healthy
    common_lb_config: { healthy_panic_threshold: { value: 1 } }, // only when none is healthy: a draining pod still answers
    outlier_detection: outlierDetection,
    circuit_breakers: { thresholds: [limits] },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options: {
          idle_timeout: "30s", // below the runtime's keep-alive timeout: a connection that it just closed is never reused
          max_connection_duration: "300s",
        },
        explicit_http_config: protocol,
      },
    },
  };
}

const healthChecks = {
  timeout: "2s",
  interval: "2s",
  no_traffic_interval: "2s", // 60 s by default: a new revision has no traffic yet, and waits for this check to get some
  unhealthy_threshold: 2,
  healthy_threshold: 1,
};

const HTTP = {
  healthCheck: { ...healthChecks, http_health_check: { path: "/health" } },
  protocol: { http_protocol_options: {} },
};
const GRPC = {
  healthCheck: { ...healthChecks, grpc_health_check: {} },
  protocol: { http2_protocol_options: {} },
};

/**
 * Ejects a pod that cannot be reached. A 503 of a reachable pod is a full queue saying no, and ejecting it would press
 * its load onto the others; a 500 is often one bad model input.
 */
const outlierDetection = {
  split_external_local_origin_errors: true,
  consecutive_local_origin_failure: 5,
  enforcing_consecutive_local_origin_failure: 100,
  enforcing_local_origin_success_rate: 0,
  enforcing_consecutive_5xx: 0,
  enforcing_consecutive_gateway_failure: 0,
  enforcing_success_rate: 0,
  interval: "2s",
  base_ejection_time: "5s",
  max_ejection_percent: 50,
};

/** Above what a pod takes: the runtime's bounded queue is the limit, not the router. Retries are what must not multiply. */
const limits = {
  max_connections: 10_000,
  max_pending_requests: 10_000,
  max_requests: 10_000,
  retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 10 },
};
