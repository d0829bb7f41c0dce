import { parse } from "yaml";
import { z } from "zod";
import { BUCKETS } from "./intervals.ts";
import type { Split } from "./intervals.ts";

const route = z.object({
  match: z.object({ headers: z.array(z.unknown()).optional() }),
  route: z
    .object({
      weighted_clusters: z
        .object({ clusters: z.array(z.object({ name: z.string(), weight: z.int().min(1) })) })
        .optional(),
    })
    .optional(),
});
const config = z.object({
  resources: z.array(z.object({ virtual_hosts: z.array(z.object({ routes: z.array(route) })) })),
});

/** The split in a `routes.yaml` that an operator wrote; undefined when it is no such thing. */
export function writtenSplit(text: string): Split | undefined {
  const { data } = config.safeParse(fromYaml(text));
  const routes = data?.resources.flatMap(({ virtual_hosts: hosts }) => hosts.flatMap(({ routes }) => routes)) ?? [];
  const plain = routes.find(
    ({ match, route }) => match.headers === undefined && route?.weighted_clusters !== undefined,
  );
  const split = plain?.route?.weighted_clusters?.clusters.map(({ name, weight }) => ({
    revision: name,
    buckets: weight,
  }));
  return split?.reduce((sum, { buckets }) => sum + buckets, 0) === BUCKETS ? split : undefined;
}

function fromYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined; // somebody edited it
  }
}
