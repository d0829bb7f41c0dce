import type { IncomingMessage, ServerResponse } from "node:http";
import type { UpstreamEndpoint } from "./endpoint.ts";
import type { RouterState } from "./router-state.ts";
import type { Upstreams } from "./upstreams.ts";

/** The virtual host that operator/traffic puts into every route table. */
const ROUTES_HASH_HOST = "routes.slipway.internal";

/** Answers the status port as Envoy does behind the listener that operator/traffic configures: a few paths, GET only. */
export function reportStatus(state: RouterState, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://router");
  const report = request.method === "GET" ? reports[url.pathname] : undefined;
  const { status, body } = report?.(state, url.searchParams) ?? { status: 404, body: "" };
  response.writeHead(status, { "content-type": body.startsWith("{") ? "application/json" : "text/plain" });
  response.end(body);
}

interface Report {
  readonly status: number;
  readonly body: string;
}

const reports: Readonly<Record<string, (state: RouterState, query: URLSearchParams) => Report>> = {
  "/ready": ({ ready }) => (ready() ? { status: 200, body: "LIVE\n" } : { status: 503, body: "PRE_INITIALIZING\n" }),
  "/stats": ({ upstreams }, query) => ({
    status: 200,
    body: statistics(upstreams, new RegExp(query.get("filter") ?? "")),
  }),
  "/clusters": ({ upstreams }) => ({ status: 200, body: JSON.stringify(clusterStatuses(upstreams), undefined, 1) }),
  "/routes": ({ decide, routes }) => {
    const decision = decide(routes(), { host: ROUTES_HASH_HOST, path: "/routes", headers: {} });
    return decision.kind === "respond" ? decision : { status: 503, body: "" };
  },
};

function statistics({ version }: Upstreams, filter: RegExp): string {
  const lines = version === "" ? [] : [["cluster_manager.cds.version_text", JSON.stringify(version)] as const];
  return lines
    .filter(([name]) => filter.test(name))
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

function clusterStatuses(upstreams: Upstreams) {
  return {
    cluster_statuses: upstreams.all().map(({ name, endpoints }) => ({
      name,
      added_via_api: true,
      host_statuses: endpoints.map(hostStatus),
    })),
  };
}

function hostStatus({ address, healthy, active }: UpstreamEndpoint) {
  return {
    address: { socket_address: { address: address.host, port_value: address.port } },
    stats: [{ type: "GAUGE", name: "rq_active", value: String(active) }],
    health_status: { ...(!healthy && { failed_active_health_check: true }), eds_health_status: "HEALTHY" },
  };
}
