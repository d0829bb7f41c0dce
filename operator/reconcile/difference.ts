import { createHash } from "node:crypto";
import { ANNOTATIONS } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import { canonicalJson } from "../plan/revision.ts";

/** The child with a digest of everything that we want of it. */
export function withDesiredDigest<T extends KubeObject>(child: T): T {
  const digest = createHash("sha256").update(canonicalJson(child)).digest("hex").slice(0, 16);
  const annotations = { ...child.metadata.annotations, [ANNOTATIONS.desired]: digest };
  return { ...child, metadata: { ...child.metadata, annotations } };
}

/**
 * Whether a write would change the observed object. What others added to it is theirs; a field that we no longer want is
 * seen by the digest, and a field that someone changed by its value.
 */
export function needsApply(desired: KubeObject, observed: KubeObject): boolean {
  return !includes(observed, desired);
}

/** Keys by which server-side apply tells the items of a list apart, in the lists that we write; others it takes whole. */
const MERGE_KEYS = ["name", "uid", "containerPort", "port", "mountPath", "topologyKey"] as const;

function includes(observed: unknown, desired: unknown): boolean {
  if (observed === undefined && isLeftOut(desired)) return true;
  if (Array.isArray(desired)) return Array.isArray(observed) && includesItems(observed, desired);
  if (typeof desired !== "object" || desired === null) return observed === desired;
  if (typeof observed !== "object" || observed === null) return false;
  return Object.entries(desired).every(([field, value]) => {
    if (value === undefined) return true;
    const seen = (observed as Record<string, unknown>)[field];
    return includes(seen, value) && !(SELECTORS.has(field) && hasMore(seen, value));
  });
}

/** What somebody adds to one of these is no addition: it selects something else. Server-side apply takes them whole. */
const SELECTORS = new Set(["selector", "matchLabels", "labelSelector", "nodeSelector"]);

function hasMore(observed: unknown, desired: unknown): boolean {
  return Object.keys(observed ?? {}).length > Object.keys(desired ?? {}).length;
}

function includesItems(observed: readonly unknown[], desired: readonly unknown[]): boolean {
  const key = MERGE_KEYS.find((name) => desired.every((item) => valueOf(item, name) !== undefined));
  if (key === undefined)
    return observed.length === desired.length && desired.every((item, index) => includes(observed[index], item));
  // Some of these keys are one of two: a volume may be mounted twice, a topology key stand with both answers to it.
  return desired.every((item) =>
    observed.some((other) => valueOf(other, key) === valueOf(item, key) && includes(other, item)),
  );
}

function valueOf(item: unknown, key: string): unknown {
  return typeof item === "object" && item !== null ? (item as Record<string, unknown>)[key] : undefined;
}

/** The API server leaves out what says the same as nothing: a variable's empty value, a delay of 0, an empty object. */
function isLeftOut(value: unknown): boolean {
  return (
    value === "" || value === 0 || (typeof value === "object" && value !== null && Object.keys(value).length === 0)
  );
}
