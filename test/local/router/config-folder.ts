import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { clustersConfig, grpcCluster } from "../../../operator/traffic/envoy-clusters.ts";
import { routesConfig, type RoutesConfig } from "../../../operator/traffic/envoy-routes.ts";
import { ROUTER_CONFIG_DIR, ROUTER_PORTS } from "../../../operator/traffic/envoy-bootstrap.ts";
import type { Split } from "../../../operator/traffic/intervals.ts";
import { trafficConfigData } from "../../../operator/traffic/traffic-config.ts";

export interface Ports {
  readonly traffic: number;
  readonly status: number;
  readonly admin: number;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Traffic {
  readonly split: Split;
  /** The pods of each revision; the version of revision `v1-a` is `v1`. */
  readonly pods: Readonly<Record<string, readonly Address[]>>;
  readonly stickyHeader?: string;
  /** Where the pods of revisions that speak gRPC take it. */
  readonly grpc?: Readonly<Record<string, readonly Address[]>>;
}

export const SALT = "credit/loan";

/** What the operator writes for `credit/loan`. */
export function trafficConfig({ split, pods, stickyHeader = "x-user-id", grpc = {} }: Traffic) {
  const versions = new Map(Object.keys(pods).map((revision) => [revision, revision.replace(/-\w+$/, "")]));
  const pins = new Map([...versions].map(([revision, version]) => [version, revision]));
  const clusters = clustersConfig(
    [...versions].map(([revision, version]) => ({
      revision,
      version,
      serviceHost: `${revision}.credit.svc`,
      port: 8000,
      ...(grpc[revision] && { grpcPort: 9000 }),
    })),
  );
  const routes: RoutesConfig = routesConfig({
    salt: SALT,
    stickyHeader,
    split,
    pins,
    versions,
    grpc: new Set(Object.keys(grpc)),
  });
  return { clusters, routes, data: trafficConfigData({ namespace: "credit", name: "loan" }, clusters, routes) };
}

/** A mounted ConfigMap: files behind a `..data` link that is swapped atomically, with addresses of this machine. */
export class ConfigFolder {
  readonly path: string;
  readonly #ports: Ports;
  #generation = 0;

  private constructor(path: string, ports: Ports) {
    this.path = path;
    this.#ports = ports;
  }

  /** Port 0 lets the router choose. */
  static async create(ports: Ports = { traffic: 0, status: 0, admin: 0 }): Promise<ConfigFolder> {
    return new ConfigFolder(await mkdtemp(join(tmpdir(), "slipway-router-")), ports);
  }

  get bootstrapFile(): string {
    return join(this.path, "envoy.yaml");
  }

  /** Writes what the operator would and the local kubelet would rewrite. */
  async writeTraffic(traffic: Traffic): Promise<ReturnType<typeof trafficConfig>> {
    const config = trafficConfig(traffic);
    await this.write({
      "envoy.yaml": this.#localBootstrap(config.data["envoy.yaml"]!),
      "clusters.yaml": localClusters(config.data["clusters.yaml"]!, traffic),
      "routes.yaml": config.data["routes.yaml"]!,
    });
    return config;
  }

  async write(files: Record<string, string>): Promise<void> {
    const generation = `..${++this.#generation}`;
    await mkdir(join(this.path, generation));
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.path, generation, name), text);
    await symlink(generation, join(this.path, "..data_tmp"));
    await rename(join(this.path, "..data_tmp"), join(this.path, "..data"));
    if (this.#generation === 1) {
      for (const name of Object.keys(files)) await symlink(join("..data", name), join(this.path, name));
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  #localBootstrap(text: string): string {
    return text
      .replaceAll(ROUTER_CONFIG_DIR, this.path)
      .replaceAll("0.0.0.0", "127.0.0.1")
      .replaceAll(`port_value: ${ROUTER_PORTS.traffic}`, `port_value: ${this.#ports.traffic}`)
      .replaceAll(`port_value: ${ROUTER_PORTS.status}`, `port_value: ${this.#ports.status}`)
      .replaceAll("port_value: 9901", `port_value: ${this.#ports.admin}`);
  }
}

function localClusters(text: string, { pods, grpc = {} }: Traffic): string {
  const addresses = new Map([
    ...Object.entries(pods),
    ...Object.entries(grpc).map(([revision, list]) => [grpcCluster(revision), list] as const),
  ]);
  const file = parse(text) as { resources: { name: string; type: string; load_assignment: { endpoints: unknown } }[] };
  for (const cluster of file.resources) {
    cluster.type = "STATIC";
    cluster.load_assignment.endpoints = [
      {
        lb_endpoints: (addresses.get(cluster.name) ?? []).map(({ host, port }) => ({
          endpoint: { address: { socket_address: { address: host, port_value: port } } },
        })),
      },
    ];
  }
  return stringify(file);
}
