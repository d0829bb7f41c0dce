import { stringify } from "yaml";

export const ROUTER_PORTS = {
  /** Users' requests. */
  traffic: 8000,
  /** Read-only: readiness, statistics, clusters and the hash of the routes. */
  status: 9902,
} as const;

/** Where the ConfigMap is mounted in a router. */
export const ROUTER_CONFIG_DIR = "/etc/slipway/traffic";

/** The keys of the ConfigMap. */
export const CONFIG_FILES = { bootstrap: "envoy.yaml", clusters: "clusters.yaml", routes: "routes.yaml" } as const;

export const ROUTE_TABLE = "traffic";

/** The virtual host that answers with the hash of the route table it stands in. */
export const ROUTES_HASH_HOST = "routes.slipway.internal";

/** Envoy's own admin interface can stop the process, so it is never reachable from outside the pod. */
const ADMIN_PORT = 9901;

const ANY_ADDRESS = "0.0.0.0";
const LOOPBACK = "127.0.0.1";

/** A request may take this long from its last byte to the end of the answer: long enough for a batch on a slow model. */
export const REQUEST_TIMEOUT = "60s";

export interface RouterIdentity {
  readonly namespace: string;
  readonly name: string;
}

/** The static part of a router's config: it never changes while the router runs. */
export function bootstrapConfig({ namespace, name }: RouterIdentity): string {
  return stringify(
    {
      node: { id: "router", cluster: `${namespace}/${name}` },
      admin: { address: socketAddress(LOOPBACK, ADMIN_PORT) },
      dynamic_resources: { cds_config: watchedFile(CONFIG_FILES.clusters) },
      static_resources: {
        listeners: [trafficListener(), statusListener()],
        clusters: [loopbackCluster("admin", ADMIN_PORT), loopbackCluster("traffic-port", ROUTER_PORTS.traffic)],
      },
      overload_manager: {
        resource_monitors: [
          {
            name: "envoy.resource_monitors.global_downstream_max_connections",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
              max_active_downstream_connections: 50_000,
            },
          },
        ],
      },
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

function trafficListener() {
  return listener("traffic", ROUTER_PORTS.traffic, {
    rds: { route_config_name: ROUTE_TABLE, config_source: watchedFile(CONFIG_FILES.routes) },
    use_remote_address: true,
    normalize_path: true,
    // The runtime makes request ids that say which version answered; one that the client sends is kept.
    generate_request_id: false,
    preserve_external_request_id: true,
    server_header_transformation: "PASS_THROUGH",
    request_headers_timeout: "10s",
    stream_idle_timeout: "75s", // past REQUEST_TIMEOUT, so that a slow answer gets its own error
    common_http_protocol_options: {
      idle_timeout: "620s", // above common load balancers' 600 s, so that they close first
      // Envoy exits at once on SIGTERM: the preStop sleep must be longer than this, so that by then every connection in
      // use was told to close in an answer. It also spreads clients over new routers.
      max_connection_duration: "10s",
      headers_with_underscores_action: "ALLOW",
    },
    http1_safe_max_connection_duration: true, // says `Connection: close` in an answer instead of cutting the connection
  });
}

function statusListener() {
  return listener("status", ROUTER_PORTS.status, {
    route_config: {
      name: "status",
      virtual_hosts: [
        {
          name: "status",
          domains: ["*"],
          routes: [
            ...["/ready", "/clusters", "/stats", "/stats/prometheus"].map((path) =>
              readOnly(path, { cluster: "admin" }),
            ),
            // Through the traffic port itself: the hash is of the routes that users really meet.
            readOnly("/routes", { cluster: "traffic-port", host_rewrite_literal: ROUTES_HASH_HOST }),
          ],
        },
      ],
    },
    stream_idle_timeout: "10s",
    request_headers_timeout: "5s",
  });
}

function readOnly(path: string, action: object) {
  return {
    match: { path, headers: [{ name: ":method", string_match: { exact: "GET" } }] },
    route: { ...action, timeout: "5s" },
  };
}

function listener(name: string, port: number, connectionManager: object) {
  return {
    name,
    address: socketAddress(ANY_ADDRESS, port),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: name,
              ...connectionManager,
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    suppress_envoy_headers: true,
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function loopbackCluster(name: string, port: number) {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(LOOPBACK, port) } }] }],
    },
  };
}

/** A ConfigMap's files change by a swap of the folder's `..data` link, which only a watch of the folder sees. */
function watchedFile(file: string) {
  return {
    resource_api_version: "V3",
    path_config_source: { path: `${ROUTER_CONFIG_DIR}/${file}`, watched_directory: { path: ROUTER_CONFIG_DIR } },
  };
}

function socketAddress(address: string, port: number) {
  return { socket_address: { address, port_value: port } };
}
