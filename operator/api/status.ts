import { z } from "zod";
import { LOAD_FAILURES } from "../../runtime/contract.ts";
import { listMap } from "./fields.ts";

/** Why a revision does not serve; the runtime's load failures come first, then what the cluster says of its pods. */
export const REVISION_REASONS = [
  ...LOAD_FAILURES,
  "DigestDrift",
  "OutOfMemory",
  "ImagePull",
  "Unschedulable",
  "QuotaExceeded",
  "Crashed",
  "CrashLoop",
  "Evicted",
  "NotScaling",
  "NotReady",
  "Starting",
] as const;
export type RevisionReason = (typeof REVISION_REASONS)[number];

const condition = z.strictObject({
  type: z.string(),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string().meta({ format: "date-time" }),
  observedGeneration: z.number().int(),
});

const percent = z.number();

const revision = z.strictObject({
  revision: z.string().describe("Version name and hash of what makes this revision; the children's names end with it."),
  version: z.string().describe("Name of the version in the spec."),
  state: z
    .enum(["Starting", "Ready", "Serving", "Degraded", "Failed", "Draining"])
    .describe(
      "Starting: no pod ready yet. Ready: pods ready, no share. Serving: takes its share. Degraded: serves with fewer pods than asked for. Failed: cannot load or start. Draining: takes no new requests, goes soon.",
    ),
  reason: z
    .enum(REVISION_REASONS)
    .exactOptional()
    .describe("Why it is not (fully) ready, or what else is wrong with it."),
  message: z.string().exactOptional().describe("The reason in words, with what to do."),
  uri: z.string().exactOptional().describe("Where its model comes from; absent when its image brings it."),
  artifact: z.string().exactOptional().describe("What the alias in the uri named when this revision was made."),
  sha256: z
    .string()
    .exactOptional()
    .describe("Digest of the model's bytes, as its pods say that they have loaded them."),
  image: z.string().exactOptional().describe("The image that it was made with."),
  replicas: z.number().int(),
  readyReplicas: z.number().int(),
  weight: z
    .strictObject({
      desired: percent.describe("Percent that the spec asks for."),
      applied: percent.describe("Percent in the config that the operator has written."),
      verified: percent
        .exactOptional()
        .describe("Percent that the data plane was seen to apply; absent while unknown."),
    })
    .describe("Shares of the traffic."),
});

/**
 * The rollout record: what a restarted operator needs to go on. Its first copy is an annotation of the front Service,
 * this is the second; the higher sequence wins.
 */
const rollout = z
  .looseObject({ sequence: z.number().int() })
  // One decision, replaced as a whole: merged field by field, a map whose last entry goes would stay as null.
  .meta({ "x-kubernetes-map-type": "atomic" })
  .describe("The rollout record, a copy of the front Service's annotation.");

export const status = z
  .strictObject({
    observedGeneration: z.number().int().exactOptional(),
    phase: z
      .enum(["Pending", "Progressing", "Serving", "Degraded", "Failed", "Suspended"])
      .exactOptional()
      .describe("One word for people; the conditions are the truth."),
    step: z.string().exactOptional().describe("What the running change waits for."),
    split: z.string().exactOptional().describe("The split in effect, such as v1:80 v2:20."),
    url: z.string().exactOptional().describe("Where the model answers."),
    replicas: z.number().int().exactOptional().describe("Pods of all revisions."),
    readyReplicas: z.number().int().exactOptional().describe("Ready pods of all revisions."),
    selector: z
      .string()
      .exactOptional()
      .describe(
        "For the scale subresource: label selector of the pods that serve; absent while there are several versions.",
      ),
    revisions: listMap(revision, "revision", { max: 64 }).exactOptional(),
    rollout: rollout.exactOptional(),
    conditions: listMap(condition, "type", { max: 16 }).exactOptional(),
  })
  .describe("What is.");

export type Condition = z.infer<typeof condition>;
export type RevisionStatus = z.infer<typeof revision>;
export type ModelDeploymentStatus = z.infer<typeof status>;
