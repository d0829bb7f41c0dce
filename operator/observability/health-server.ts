import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

/** Resolves with what is wrong, or undefined when nothing is. */
type HealthCheck = () => string | undefined | Promise<string | undefined>;

export interface HealthServerOptions {
  host: string;
  /** For /healthz and /readyz; 0 takes a free one. */
  healthPort: number;
  /** For /metrics; the same as healthPort serves all three together. */
  metricsPort: number;
  /** By name. Liveness must not depend on anything that a restart does not mend. */
  livenessChecks: Record<string, HealthCheck>;
  readinessChecks: Record<string, HealthCheck>;
  registry: Registry;
}

export interface HealthServer {
  healthPort: number;
  metricsPort: number;
  close(): Promise<void>;
}

type Route = (request: IncomingMessage) => Promise<{ status: number; contentType: string; body: string }>;

/** Serves probes and metrics. Rejects when a port cannot be had. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { host, healthPort, metricsPort, registry } = options;
  const health = {
    "/healthz": checkRoute(options.livenessChecks),
    "/readyz": checkRoute(options.readinessChecks),
  };
  const metrics = { "/metrics": metricsRoute(registry) };
  if (healthPort === metricsPort && healthPort !== 0) {
    const server = await listen(host, healthPort, { ...health, ...metrics });
    return { healthPort, metricsPort, close: () => close(server) };
  }
  const healthServer = await listen(host, healthPort, health);
  try {
    const metricsServer = await listen(host, metricsPort, metrics);
    return {
      healthPort: portOf(healthServer),
      metricsPort: portOf(metricsServer),
      close: async () => {
        await Promise.all([close(healthServer), close(metricsServer)]);
      },
    };
  } catch (error) {
    await close(healthServer);
    throw error;
  }
}

function checkRoute(checks: Record<string, HealthCheck>): Route {
  return async () => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => ({ name, problem: await problemOf(check) })),
    );
    const failed = results.some(({ problem }) => problem !== undefined);
    const lines = results.map(({ name, problem }) =>
      problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
    );
    return {
      status: failed ? 503 : 200,
      contentType: "text/plain; charset=utf-8",
      body: [...lines, failed ? "check failed" : "ok", ""].join("\n"),
    };
  };
}

async function problemOf(check: HealthCheck): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function metricsRoute(registry: Registry): Route {
  return async () => ({ status: 200, contentType: registry.contentType, body: await registry.metrics() });
}

async function listen(host: string, port: number, routes: Record<string, Route>): Promise<Server> {
  const server = createServer((request, response) => void respond(routes, request, response));
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new Error(`listening on ${host}:${port} for ${Object.keys(routes).join(", ")}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, host, resolve);
  });
  return server;
}

async function respond(routes: Record<string, Route>, request: IncomingMessage, response: ServerResponse) {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
  if (route === undefined)
    return send(response, 404, "text/plain", `no such path; there are: ${Object.keys(routes).join(", ")}\n`);
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "text/plain", "GET only\n");
  try {
    const { status, contentType, body } = await route(request);
    send(response, status, contentType, body);
  } catch (error) {
    send(response, 500, "text/plain", `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType }).end(body);
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
