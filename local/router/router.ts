import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import { parseBootstrap, type DynamicFile, type ListenAddress } from "./bootstrap.ts";
import { parseClustersFile } from "./clusters-file.ts";
import { proxyRequest } from "./proxy.ts";
import { parseRoutesFile, type VirtualHost } from "./routes-file.ts";
import type { RouterState } from "./router-state.ts";
import { createDecide } from "./routing.ts";
import { reportStatus } from "./status-port.ts";
import { Upstreams } from "./upstreams.ts";
import { watchFile, type FileWatch } from "./watched-file.ts";

export interface RouterOptions {
  /** Path of Envoy's bootstrap file. */
  readonly bootstrapFile: string;
  /** Listen here instead of where the bootstrap says. */
  readonly host?: string | undefined;
  readonly logger: Logger;
  /** In [0, 1); Math.random in production. */
  readonly random: () => number;
}

export interface Router {
  readonly traffic: AddressInfo;
  readonly status: AddressInfo;
  /** Says `Connection: close` in every answer for `drainMs`, then finishes what is under way and closes. */
  stop(drainMs: number): Promise<void>;
}

/** What is still under way this long after the drain is cut. */
const LAST_REQUESTS_MS = 10_000;

/**
 * Stands in for Envoy on a laptop: reads the same files, gives every user the same version, reports in the same form.
 * A file that it cannot take leaves the last good one in force.
 * @throws Error when the bootstrap cannot be read or a port cannot be bound
 */
export async function startRouter({ bootstrapFile, host, logger, random }: RouterOptions): Promise<Router> {
  const bootstrap = parseBootstrap(await readFile(bootstrapFile, "utf8"));
  const decide = await createDecide(random);
  const upstreams = new Upstreams();
  let routes: readonly VirtualHost[] = [];
  let draining = false;
  let firstChecks: Promise<void> = Promise.resolve();

  const watches = [
    await watchConfig(bootstrap.clusters, logger, (text) => {
      firstChecks = upstreams.apply(parseClustersFile(text));
      return upstreams.version;
    }),
    await watchConfig(bootstrap.routes, logger, (text) => {
      const file = parseRoutesFile(text);
      routes = file.virtualHosts;
      return file.version;
    }),
  ];
  await firstChecks;

  const state: RouterState = {
    upstreams,
    decide,
    random,
    routes: () => routes,
    ready: () => upstreams.version !== "" && routes.length > 0,
    draining: () => draining,
  };
  const traffic = createServer((request, response) => void proxyRequest(state, request, response));
  traffic.keepAliveTimeout = 75_000; // above the 60 s of common clients and load balancers
  const status = createServer((request, response) => reportStatus(state, request, response));
  const close = async () => {
    for (const watch of watches) watch.close();
    await Promise.all([closeServer(traffic), closeServer(status)]);
    await upstreams.close();
  };
  try {
    await listen(traffic, { host: host ?? bootstrap.traffic.host, port: bootstrap.traffic.port });
    await listen(status, { host: host ?? bootstrap.status.host, port: bootstrap.status.port });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    traffic: traffic.address() as AddressInfo,
    status: status.address() as AddressInfo,
    async stop(drainMs) {
      draining = true;
      await sleep(drainMs);
      await close();
    },
  };
}

async function watchConfig(file: DynamicFile, logger: Logger, apply: (text: string) => string): Promise<FileWatch> {
  const refuse = (error: Error) => {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : error.message;
    logger.error({ file: file.path, problem }, "config refused, the last good one stays in force");
  };
  return watchFile({
    ...file,
    onContent(text) {
      try {
        const version = apply(text);
        logger.info({ file: file.path, version }, "config applied");
      } catch (error) {
        refuse(error instanceof Error ? error : new Error(String(error)));
      }
    },
    onError: refuse,
  });
}

async function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause) => reject(new Error(`listening on ${host}:${port}: ${cause.message}`, { cause })));
  server.listen(port, host, resolve);
  await promise;
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), LAST_REQUESTS_MS);
  await promise;
  clearTimeout(cut);
}
