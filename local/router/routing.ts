import xxhash from "xxhash-wasm";
import type { HeaderMatch, ResponseHeader, Route, VirtualHost, WeightedRoute } from "./routes-file.ts";

export interface RoutedRequest {
  readonly host: string;
  readonly path: string;
  /** Every value of a header, as received (latin1), by lower-case name. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
}

export type Decision =
  | {
      readonly kind: "respond";
      readonly status: number;
      readonly body: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "forward";
      readonly cluster: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
      readonly retries: number;
    };

/** Where a request goes, by Envoy's rules: the first virtual host that has its name, the first route that matches. */
export type Decide = (hosts: readonly VirtualHost[], request: RoutedRequest) => Decision;

/** @param random in [0, 1): deals requests that carry no key */
export async function createDecide(random: () => number): Promise<Decide> {
  const hash = await createHeaderHash();
  return (hosts, request) => {
    const host =
      hosts.find(({ domains }) => domains.includes(request.host)) ?? hosts.find(({ domains }) => domains.includes("*"));
    const route = host?.routes.find((candidate) => matches(candidate, request));
    if (host === undefined || route === undefined) return { kind: "respond", status: 404, body: "", headers: {} };

    const headers = headersOf(route.response_headers_to_add);
    if ("direct_response" in route) {
      const { status, body } = route.direct_response;
      return { kind: "respond", status, body: body.inline_string, headers };
    }
    const { route: action } = route;
    const limits = { timeoutMs: action.timeout, retries: host.retry_policy?.num_retries ?? 0 };
    if ("cluster" in action) return { kind: "forward", cluster: action.cluster, headers, ...limits };

    const chosen = chooseCluster(action, request, hash, random);
    return {
      kind: "forward",
      cluster: chosen.name,
      headers: { ...headers, ...headersOf(chosen.response_headers_to_add) },
      ...limits,
    };
  };
}

function chooseCluster(
  { weighted_clusters, hash_policy }: WeightedRoute,
  request: RoutedRequest,
  hash: HeaderHash,
  random: () => number,
) {
  const { clusters, use_hash_policy } = weighted_clusters;
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  const policy = use_hash_policy ? hash_policy?.[0]?.header : undefined;
  const keys = policy && request.headers[policy.header_name];
  const point =
    policy && keys?.length
      ? Number(hash(keys.map((key) => policy.regex_rewrite.substitution + key)) % BigInt(total))
      : Math.floor(random() * total);
  let end = 0;
  for (const cluster of clusters) {
    end += cluster.weight;
    if (point < end) return cluster;
  }
  throw new Error(`no weighted cluster has point ${point} of ${total}`);
}

function matches({ match }: Route, { path, headers }: RoutedRequest): boolean {
  return path.startsWith(match.prefix) && match.headers.every((matcher) => matchesHeader(matcher, headers));
}

/** Envoy compares several values of one header as one, joined by commas. */
function matchesHeader(matcher: HeaderMatch, headers: RoutedRequest["headers"]): boolean {
  const values = headers[matcher.name];
  if (values === undefined) return false;
  if ("present_match" in matcher) return true;
  const value = values.join(",");
  const { string_match: match } = matcher;
  return "exact" in match ? value === match.exact : value.startsWith(match.prefix);
}

function headersOf(added: readonly ResponseHeader[]): Record<string, string> {
  return Object.fromEntries(added.map(({ header }) => [header.key, header.value]));
}

type HeaderHash = (values: readonly string[]) => bigint;

/** Envoy's hash of a header: its values in order of their bytes, each seeded with the hash of those before. */
async function createHeaderHash(): Promise<HeaderHash> {
  const xx = await xxhash();
  return (values) =>
    values
      .map((value) => Buffer.from(value, "latin1"))
      .sort((a, b) => Buffer.compare(a, b))
      .reduce((seed, bytes) => xx.h64Raw(bytes, seed), 0n);
}
