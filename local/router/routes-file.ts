import { parse } from "yaml";
import { z } from "zod";

/**
 * The part of Envoy's route configuration that operator/traffic writes. Every object is strict: a construct that this
 * router does not know must fail loudly, since ignoring it would route users elsewhere than Envoy does.
 */

const headerMatch = z.union([
  z.strictObject({ name: z.string(), string_match: z.strictObject({ exact: z.string() }) }),
  z.strictObject({ name: z.string(), string_match: z.strictObject({ prefix: z.string() }) }),
  z.strictObject({ name: z.string(), present_match: z.literal(true) }),
]);

const literalValue = z.string().refine((value) => !value.includes("%"), "has a %, which Envoy would substitute");

const responseHeader = z.strictObject({
  header: z.strictObject({ key: z.string(), value: literalValue }),
  append_action: z.literal("OVERWRITE_IF_EXISTS_OR_ADD"),
});

const seconds = z
  .string()
  .regex(/^\d+(\.\d+)?s$/)
  .transform((text) => Number.parseFloat(text) * 1000);

/** Only a prefix: what Envoy's `^` with a literal substitution does. */
const saltedHeader = z.strictObject({
  header: z.strictObject({
    header_name: z.string().toLowerCase(),
    regex_rewrite: z.strictObject({
      pattern: z.strictObject({ regex: z.literal("^") }),
      substitution: z
        .string()
        .refine((text) => !/\\[^\\]/.test(text.replaceAll("\\\\", "")), "refers to a capture group")
        .transform((text) => text.replaceAll("\\\\", "\\")),
    }),
  }),
});

const toOneCluster = z.strictObject({ cluster: z.string(), timeout: seconds });

const toWeightedClusters = z.strictObject({
  weighted_clusters: z.strictObject({
    clusters: z
      .array(
        z.strictObject({
          name: z.string(),
          weight: z.number().int().nonnegative(),
          response_headers_to_add: z.array(responseHeader).default([]),
        }),
      )
      .min(1),
    use_hash_policy: z.literal(true).optional(),
  }),
  hash_policy: z.array(saltedHeader).length(1).optional(),
  timeout: seconds,
});

const match = z.strictObject({ prefix: z.string(), headers: z.array(headerMatch).default([]) });

const route = z.union([
  z.strictObject({
    match,
    direct_response: z.strictObject({ status: z.number().int(), body: z.strictObject({ inline_string: z.string() }) }),
    response_headers_to_add: z.array(responseHeader).default([]),
  }),
  z.strictObject({
    match,
    route: z.union([toOneCluster, toWeightedClusters]),
    response_headers_to_add: z.array(responseHeader).default([]),
  }),
]);

const SUPPORTED_RETRIES = ["connect-failure", "refused-stream", "reset-before-request"];

const retryPolicy = z.strictObject({
  retry_on: z.string().refine((on) => on.split(",").every((reason) => SUPPORTED_RETRIES.includes(reason)), {
    error: `may have only ${SUPPORTED_RETRIES.join(", ")}`,
  }),
  num_retries: z.number().int().nonnegative(),
  retry_back_off: z.strictObject({ base_interval: seconds, max_interval: seconds }),
  retry_host_predicate: z
    .array(z.strictObject({ name: z.literal("envoy.retry_host_predicates.previous_hosts"), typed_config: z.unknown() }))
    .length(1),
  host_selection_retry_max_attempts: z.number().int(),
});

const virtualHost = z.strictObject({
  name: z.string(),
  domains: z.array(z.string()).min(1),
  retry_policy: retryPolicy.optional(),
  routes: z.array(route),
});

const routesFile = z.strictObject({
  version_info: z.string(),
  resources: z
    .array(z.strictObject({ "@type": z.string(), name: z.string(), virtual_hosts: z.array(virtualHost) }))
    .length(1),
});

export type Route = z.infer<typeof route>;
export type WeightedRoute = z.infer<typeof toWeightedClusters>;
export type HeaderMatch = z.infer<typeof headerMatch>;
export type ResponseHeader = z.infer<typeof responseHeader>;
export type VirtualHost = z.infer<typeof virtualHost>;

export interface RoutesFile {
  readonly version: string;
  readonly virtualHosts: readonly VirtualHost[];
}

/** @throws Error that names the construct which is wrong or unknown */
export function parseRoutesFile(text: string): RoutesFile {
  const { version_info, resources } = routesFile.parse(parse(text));
  return { version: version_info, virtualHosts: resources[0]?.virtual_hosts ?? [] };
}
