import { z } from "zod";
import { int } from "./fields.ts";
import { labelSelector, optional, patchable, strings, text } from "./pod-fields.ts";

const weight = int(1, 100);

const nodeRequirement = optional({
  key: text,
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
  values: strings,
});
const nodeTerm = optional({
  matchExpressions: z.array(nodeRequirement).max(32),
  matchFields: z.array(nodeRequirement).max(32),
});

const podTerm = optional({
  labelSelector,
  namespaceSelector: labelSelector,
  namespaces: strings,
  topologyKey: text,
  matchLabelKeys: strings,
  mismatchLabelKeys: strings,
});
const podTerms = patchable({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podTerm).max(16),
  preferredDuringSchedulingIgnoredDuringExecution: z.array(optional({ weight, podAffinityTerm: podTerm })).max(16),
});

/** Passed through by the CRD, where it would be the largest part by far; the parser checks it. */
export const affinity = patchable({
  nodeAffinity: patchable({
    requiredDuringSchedulingIgnoredDuringExecution: patchable({ nodeSelectorTerms: z.array(nodeTerm).max(16) }),
    preferredDuringSchedulingIgnoredDuringExecution: z.array(optional({ weight, preference: nodeTerm })).max(16),
  }),
  podAffinity: podTerms,
  podAntiAffinity: podTerms,
})
  .meta({ passThrough: true })
  .describe("Which nodes and neighbours the pods prefer or need.");
