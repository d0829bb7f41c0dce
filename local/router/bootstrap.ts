import { parse } from "yaml";
import { z } from "zod";

/** What the local router takes from Envoy's bootstrap; the rest tunes Envoy. */
export interface Bootstrap {
  readonly traffic: ListenAddress;
  readonly status: ListenAddress;
  readonly clusters: DynamicFile;
  readonly routes: DynamicFile;
}

export interface DynamicFile {
  readonly path: string;
  /** Its changes announce a change of the file. */
  readonly folder: string;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const socketAddress = z.object({ socket_address: z.object({ address: z.string(), port_value: z.number() }) });

const watchedFile = z.object({
  path_config_source: z.object({ path: z.string(), watched_directory: z.object({ path: z.string() }) }),
});

const listener = z.object({
  name: z.string(),
  address: socketAddress,
  filter_chains: z
    .array(
      z.object({
        filters: z
          .array(z.object({ typed_config: z.object({ rds: z.object({ config_source: watchedFile }).optional() }) }))
          .length(1),
      }),
    )
    .length(1),
});

const bootstrap = z.object({
  dynamic_resources: z.object({ cds_config: watchedFile }),
  static_resources: z.object({ listeners: z.array(listener) }),
});

/** @throws Error when the bootstrap lacks the two listeners or the files */
export function parseBootstrap(text: string): Bootstrap {
  const { dynamic_resources, static_resources } = bootstrap.parse(parse(text));
  const named = (name: string) => {
    const found = static_resources.listeners.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`the bootstrap has no listener named ${name}`);
    return found;
  };
  const routes = named("traffic").filter_chains[0]?.filters[0]?.typed_config.rds?.config_source;
  if (routes === undefined) throw new Error("the listener named traffic takes its routes from no file (rds)");
  return {
    traffic: listenAddress(named("traffic")),
    status: listenAddress(named("status")),
    clusters: dynamicFile(dynamic_resources.cds_config),
    routes: dynamicFile(routes),
  };
}

function dynamicFile({ path_config_source: { path, watched_directory } }: z.infer<typeof watchedFile>): DynamicFile {
  return { path, folder: watched_directory.path };
}

function listenAddress({ address }: z.infer<typeof listener>): ListenAddress {
  return { host: address.socket_address.address, port: address.socket_address.port_value };
}
