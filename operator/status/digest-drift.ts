import type { V1Pod } from "@kubernetes/client-node";
import type { LoadedModel } from "../plan/observed.ts";
import type { PodFailure } from "./pod-failure.ts";

/** Characters of a digest that tell it from another one. */
const SHORT = 12;

/** Pods of one revision that loaded different bytes answer as different models; undefined while none is known to. */
export function digestDrift(pods: readonly V1Pod[], models: ReadonlyMap<string, LoadedModel>): PodFailure | undefined {
  const known = pods.flatMap(({ metadata }) => models.get(metadata?.uid ?? "")?.sha256 ?? []);
  const counts = Map.groupBy(known, (digest) => digest);
  if (counts.size < 2) return undefined;
  const loaded = [...counts]
    .map(([digest, all]) => `${digest.slice(0, SHORT)}… (${all.length} ${all.length === 1 ? "pod" : "pods"})`)
    .toSorted();
  return {
    reason: "DigestDrift",
    message: `pods loaded different bytes: sha256 ${loaded.join(", ")}; the artifact was overwritten: set source.sha256, or give it a new address`,
    permanent: true,
  };
}
