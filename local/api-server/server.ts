import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stringify } from "yaml";
import { ApiError, noSuchResource } from "./api-error.ts";
import { serveResource } from "./api.ts";
import { behaviours } from "./behaviours/behaviours.ts";
import { createInitialObjects } from "./bootstrap.ts";
import { systemClock, type Clock } from "./clock.ts";
import type { Cluster, PodLogs } from "./cluster.ts";
import { followCustomResourceDefinitions } from "./custom-resource-watch.ts";
import { expireEvents } from "./event-expiry.ts";
import { aggregatedDiscovery, discover } from "./discovery/discovery.ts";
import { serveOpenApi } from "./requests/openapi.ts";
import { sendError, sendJson, sendText } from "./http/responses.ts";
import { parseRequest } from "./requests/request-info.ts";
import { Registry } from "./resources/registry.ts";
import { StateFile } from "./storage/state-file.ts";
import { Storage } from "./storage/storage.ts";

export interface ApiServerOptions {
  /** Address to listen on; loopback unless told otherwise, for there is no authentication. */
  host?: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Where `kubectl logs` reads; without it the log subresource answers with an error. */
  podLogs?: PodLogs;
  /** Called with what went wrong inside a request: a fault of this server, not of the client. */
  onInternalError?: (error: unknown, request: string) => void;
  clock?: Clock;
  /** Where the objects are kept from one run to the next; without it they are in memory only. */
  stateFile?: string;
}

export interface ApiServer {
  url: string;
  port: number;
  /** A kubeconfig for this server, as YAML. */
  kubeconfig(): string;
  /** Ends every watch and connection. */
  close(): Promise<void>;
}

/**
 * Starts a Kubernetes API server in this process: plain HTTP, no authentication.
 * @throws StateFileError when the state file cannot be used
 */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const clock = options.clock ?? systemClock;
  const closing = new AsyncDisposableStack();
  try {
    const storage = openStorage(clock.now(), options.stateFile);
    closing.defer(() => storage.close());
    const registry = new Registry(behaviours(storage, clock));
    const cluster: Cluster = { storage, registry, clock, podLogs: options.podLogs };
    closing.defer(followCustomResourceDefinitions(cluster));
    createInitialObjects(cluster);
    closing.defer(expireEvents(cluster));

    const server = createServer((request, response) => {
      serve(cluster, request, response).catch((error: unknown) => {
        options.onInternalError?.(error, `${request.method} ${request.url}`);
      });
    });
    server.keepAliveTimeout = 60_000;
    await listen(server, options.port ?? 0, options.host ?? "127.0.0.1");
    closing.defer(() => close(server));
    const { port } = server.address() as AddressInfo;
    const url = `http://${options.host ?? "127.0.0.1"}:${port}`;
    return { url, port, kubeconfig: () => kubeconfig(url), close: () => closing.disposeAsync() };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

function openStorage(firstVersion: number, path: string | undefined): Storage {
  if (path === undefined) return new Storage(firstVersion);
  const file = StateFile.open(path);
  try {
    return new Storage(firstVersion, file);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Answers one request. Rejects only with faults of this server; what a client did wrong is answered and done. */
async function serve(cluster: Cluster, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const info = parseRequest(request.url ?? "/");
    if (info === undefined) return sendText(response, 400, "400 Bad Request");
    const { query } = info;
    if (info.type === "other") return serveOther(cluster, info.path, query, request, response);
    await serveResource({ cluster, target: info.target, query, request, response });
  } catch (error) {
    sendError(response, error);
    if (!(error instanceof ApiError)) throw error;
  }
}

function serveOther(
  cluster: Cluster,
  path: string,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (/^\/(healthz|readyz|livez)(\/ping)?$/.test(path)) return sendText(response, 200, "ok");
  if (path === "/openapi/v3" || path.startsWith("/openapi/v3/"))
    return serveOpenApi(cluster.registry, path.slice("/openapi/v3/".length), query, request, response);
  if ((path === "/api" || path === "/apis") && wantsAggregatedDiscovery(request.headers.accept)) {
    response.setHeader("content-type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    return sendJson(response, 200, aggregatedDiscovery(cluster.registry, path));
  }
  const discovered = request.method === "GET" ? discover(cluster.registry, path) : undefined;
  if (discovered) return sendJson(response, 200, discovered);
  const [, root, group] = path.split("/");
  const isBuiltIn = cluster.registry.all().some((resource) => resource.group === group && !resource.isCustom);
  if (root === "apis" && isBuiltIn) throw noSuchResource();
  return sendText(response, 404, "404 page not found\n");
}

function wantsAggregatedDiscovery(accept = ""): boolean {
  return accept.includes("as=APIGroupDiscoveryList") && accept.includes("v=v2;");
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
    server.closeAllConnections();
  });
}

function kubeconfig(url: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "slipway", cluster: { server: url } }],
    users: [{ name: "slipway", user: {} }],
    contexts: [{ name: "slipway", context: { cluster: "slipway", user: "slipway", namespace: "default" } }],
    "current-context": "slipway",
  });
}
