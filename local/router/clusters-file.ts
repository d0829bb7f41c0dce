import { parse } from "yaml";
import { z } from "zod";

export interface ClustersFile {
  readonly version: string;
  readonly clusters: readonly ClusterConfig[];
}

export interface ClusterConfig {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** Undefined for gRPC, which this router does not carry: there a connection is all that is checked. */
  readonly healthPath: string | undefined;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What else a cluster has (timeouts, ejection, limits) tunes Envoy; who answers does not depend on it. */
const clusterSchema = z.object({
  name: z.string(),
  type: z.literal("STATIC", { error: "must be STATIC: the local kubelet replaces DNS names by the addresses of pods" }),
  load_assignment: z.object({
    endpoints: z.array(
      z.object({
        lb_endpoints: z.array(
          z.object({
            endpoint: z.object({
              address: z.object({ socket_address: z.object({ address: z.string(), port_value: z.number() }) }),
            }),
          }),
        ),
      }),
    ),
  }),
  health_checks: z
    .array(
      z.union([
        z.object({ http_health_check: z.object({ path: z.string() }) }),
        z.object({ grpc_health_check: z.object({}) }),
      ]),
    )
    .length(1),
});

const fileSchema = z.object({ version_info: z.string(), resources: z.array(clusterSchema) });

/** @throws Error that says what in the text is wrong */
export function parseClustersFile(text: string): ClustersFile {
  const { version_info, resources } = fileSchema.parse(parse(text));
  return { version: version_info, clusters: resources.map(clusterConfig) };
}

function clusterConfig({ name, load_assignment, health_checks }: z.infer<typeof clusterSchema>): ClusterConfig {
  const [check] = health_checks;
  const addresses = load_assignment.endpoints.flatMap(({ lb_endpoints }) =>
    lb_endpoints.map(({ endpoint }) => endpoint.address.socket_address),
  );
  return {
    name,
    endpoints: addresses.map(({ address, port_value }) => ({ host: address, port: port_value })),
    healthPath: check !== undefined && "http_health_check" in check ? check.http_health_check.path : undefined,
  };
}
