import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { Ports } from "../../local/router/config-folder.ts";

export interface EnvoyProcess {
  /** What it has logged so far. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts the real Envoy on a bootstrap file. */
export function startEnvoy(binary: string, bootstrapFile: string): EnvoyProcess {
  const args = ["--use-dynamic-base-id", "--concurrency", "2", "--log-level", "warning", "-c", bootstrapFile];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  return {
    log: () => log,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Envoy must be told its ports before it starts; these were free a moment ago. */
export async function freePorts(): Promise<Ports> {
  const servers = await Promise.all([listening(), listening(), listening()]);
  const [traffic, status, admin] = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return { traffic: traffic!, status: status!, admin: admin! };
}

async function listening() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
