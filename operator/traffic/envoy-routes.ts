import { stringify } from "yaml";
import { REQUEST_TIMEOUT, ROUTES_HASH_HOST, ROUTE_TABLE } from "./envoy-bootstrap.ts";
import { grpcCluster } from "./envoy-clusters.ts";
import { fingerprint } from "./fingerprint.ts";
import { BUCKETS, type Interval, type Split } from "./intervals.ts";

/** On a request it pins the version that answers; on a response it names the version that did. */
export const VERSION_HEADER = "x-slipway-version";

export interface Routes {
  /** Separates experiments: the same user falls in unrelated buckets under different salts. `namespace/name`. */
  readonly salt: string;
  /** The header that identifies a user. Without it, or on requests that lack it, each request is dealt at random. */
  readonly stickyHeader?: string;
  readonly split: Split;
  /** Which revision answers when a request pins a version: revision by version. */
  readonly pins: ReadonlyMap<string, string>;
  /** The version of every revision in `split`. */
  readonly versions: ReadonlyMap<string, string>;
  /** The revisions that speak gRPC. */
  readonly grpc?: ReadonlySet<string>;
}

export interface RoutesConfig {
  /** The content of `routes.yaml`. */
  readonly text: string;
  /** What a router answers at `/routes` of its status port once it serves these routes. */
  readonly hash: string;
}

export function routesConfig(routes: Routes): RoutesConfig {
  const traffic = {
    name: "traffic",
    domains: ["*"],
    retry_policy: retryPolicy,
    routes: [...pinnedRoutes(routes), unknownVersionRoute(routes.pins), ...splitRoutes(routes)],
  };
  const hash = fingerprint(traffic);
  const table = {
    "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    name: ROUTE_TABLE,
    virtual_hosts: [hashHost(hash), traffic],
  };
  return {
    text: stringify({ version_info: hash, resources: [table] }, { lineWidth: 0, aliasDuplicateObjects: false }),
    hash,
  };
}

/** In the same table as the routes, so that the hash cannot be seen without them. */
function hashHost(hash: string) {
  return {
    name: "routes-hash",
    domains: [ROUTES_HASH_HOST],
    routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: hash } } }],
  };
}

/** gRPC arrives on the same port as everything else: what tells it apart is what its protocol says of the content. */
const isGrpc = { name: "content-type", string_match: { prefix: "application/grpc" } };

function pinnedRoutes({ pins, grpc }: Routes) {
  return [...pins].flatMap(([version, revision]) => [
    ...(grpc?.has(revision) ? [pinnedRoute(version, grpcCluster(revision), [isGrpc])] : []),
    pinnedRoute(version, revision, []),
  ]);
}

function pinnedRoute(version: string, cluster: string, headers: readonly object[]) {
  return {
    match: { prefix: "/", headers: [{ name: VERSION_HEADER, string_match: { exact: version } }, ...headers] },
    route: { cluster, timeout: REQUEST_TIMEOUT },
    response_headers_to_add: [versionHeader(version)],
  };
}

/** A misspelt pin must not be answered by some other version as if it had been heeded. */
function unknownVersionRoute(pins: ReadonlyMap<string, string>) {
  const known = [...pins.keys()].join(", ");
  const body = JSON.stringify({ detail: `${VERSION_HEADER} names no version of this model; there are: ${known}` });
  return {
    match: { prefix: "/", headers: [{ name: VERSION_HEADER, present_match: true }] },
    direct_response: { status: 404, body: { inline_string: body } },
    response_headers_to_add: [{ header: { key: "content-type", value: "application/json" }, append_action: OVERWRITE }],
  };
}

/** The same buckets for both protocols. A revision that speaks no gRPC refuses the calls of its users itself. */
function splitRoutes(routes: Routes) {
  const { split, grpc } = routes;
  const speaksGrpc = split.some(({ revision }) => grpc?.has(revision));
  const clusterOf = (revision: string): string => (grpc?.has(revision) ? grpcCluster(revision) : revision);
  return [
    ...(speaksGrpc ? [splitRoute(routes, { prefix: "/", headers: [isGrpc] }, clusterOf)] : []),
    splitRoute(routes, { prefix: "/" }, (revision) => revision),
  ];
}

function splitRoute(
  { salt, stickyHeader, split, versions }: Routes,
  match: object,
  clusterOf: (revision: string) => string,
) {
  return {
    match,
    route: {
      weighted_clusters: {
        clusters: split.map((interval) => weightedCluster(interval, clusterOf, versions)),
        ...(stickyHeader !== undefined && { use_hash_policy: true }),
      },
      ...(stickyHeader !== undefined && { hash_policy: [saltedHeader(stickyHeader, salt)] }),
      timeout: REQUEST_TIMEOUT,
    },
  };
}

function weightedCluster(
  { revision, buckets }: Interval,
  clusterOf: (revision: string) => string,
  versions: ReadonlyMap<string, string>,
) {
  const version = versions.get(revision);
  if (version === undefined)
    throw new Error(`routing ${buckets} of ${BUCKETS} buckets to ${revision}: its version is not given`);
  return { name: clusterOf(revision), weight: buckets, response_headers_to_add: [versionHeader(version)] };
}

/** Envoy hashes the rewritten value: `namespace/name:` is put in front of it. */
function saltedHeader(header: string, salt: string) {
  const substitution = `${salt.replaceAll("\\", "\\\\")}:`;
  return { header: { header_name: header, regex_rewrite: { pattern: { regex: "^" }, substitution } } };
}

function versionHeader(version: string) {
  return { header: { key: VERSION_HEADER, value: version }, append_action: OVERWRITE };
}

const OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD";

/** Only what no pod has begun to work on: a prediction is never run or logged twice. */
const retryPolicy = {
  retry_on: "connect-failure,refused-stream,reset-before-request",
  num_retries: 3,
  retry_back_off: { base_interval: "0.025s", max_interval: "0.25s" },
  retry_host_predicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
      },
    },
  ],
  host_selection_retry_max_attempts: 3,
};
