import { createHash } from "node:crypto";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { PredictionLog, Serving } from "../api/serving.ts";
import type { Source } from "../api/source.ts";

/** What one set of pods is made from. It changes only in replicas and autoscaling; anything else is a new revision. */
export interface Revision {
  /** Version name and hash: `v1-x7k2p9qd`. */
  readonly id: string;
  readonly version: string;
  readonly source: Source;
  /** spec.serving with the version's own fields laid over it, undefaulted. */
  readonly serving: Serving;
}

export interface DesiredRevision extends Revision {
  /** Percent, 0 to 100. */
  readonly weight: number;
}

/** The revisions that the spec asks for, in its order. */
export function desiredRevisions({ name, spec, versions }: ValidModelDeployment): DesiredRevision[] {
  return versions.map((version) => {
    const serving = overlay(spec.serving ?? {}, version.serving ?? {});
    const { source, weight } = version;
    return {
      id: `${version.name}-${revisionHash(name, version.name, source, serving)}`,
      version: version.name,
      source,
      serving,
      weight,
    };
  });
}

/**
 * Eight characters that change with anything the pods are made from, as the user wrote it: never with a default of the
 * operator, so that upgrading it rolls nothing. The object's name is part of it, so that `a` with version `b-c` and
 * `a-b` with version `c` name their children differently.
 */
function revisionHash(name: string, version: string, source: Source, serving: Serving): string {
  const { replicas: _replicas, autoscaling: _autoscaling, ...template } = serving;
  const digest = createHash("sha256")
    .update(canonicalJson({ name, version, source, template: withoutEmpty(template) }))
    .digest();
  return Array.from(digest.subarray(0, 8), (byte) => HASH_ALPHABET[byte % HASH_ALPHABET.length]).join("");
}

/** Without vowels, so that no hash is a word, and 0, 1 and 3, which are misread (Kubernetes' own choice for pod names). */
const HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** JSON with sorted keys: equal values are equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => (isObject(child) ? sorted(child) : child));
}

function sorted(object: object): object {
  return Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** `resources: {}` means the same as no resources at all. */
function withoutEmpty(value: unknown): unknown {
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, child]) => [key, withoutEmpty(child)] as const);
  return Object.fromEntries(entries.filter(([, child]) => !(isObject(child) && Object.keys(child).length === 0)));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The version's fields win: objects are merged, environment variables by name; a size in one form replaces the other form. */
export function overlay(base: Serving, over: Serving): Serving {
  const { env, resources, probes, batching, predictionLog, replicas, autoscaling, ...rest } = { ...base, ...over };
  const sized =
    over.replicas !== undefined
      ? { replicas: over.replicas }
      : over.autoscaling !== undefined
        ? { autoscaling: { ...base.autoscaling, ...over.autoscaling } }
        : { ...(replicas !== undefined && { replicas }), ...(autoscaling !== undefined && { autoscaling }) };
  const variables = new Map([...(base.env ?? []), ...(over.env ?? [])].map((variable) => [variable.name, variable]));
  return {
    ...rest,
    ...sized,
    ...(resources && {
      resources: {
        requests: { ...base.resources?.requests, ...over.resources?.requests },
        limits: { ...base.resources?.limits, ...over.resources?.limits },
      },
    }),
    ...(probes && {
      probes: {
        ...base.probes,
        ...over.probes,
        readiness: { ...base.probes?.readiness, ...over.probes?.readiness },
        liveness: { ...base.probes?.liveness, ...over.probes?.liveness },
        startup: { ...base.probes?.startup, ...over.probes?.startup },
      },
    }),
    ...(batching && { batching: { ...base.batching, ...over.batching } }),
    ...(predictionLog && {
      predictionLog: over.predictionLog ? overlayLog(base.predictionLog, over.predictionLog) : predictionLog,
    }),
    ...(env && { env: [...variables.values()] }),
  };
}

/** The Secret stands with its sink: what is meant for one receiver is not sent to another. */
function overlayLog(base: PredictionLog | undefined, over: PredictionLog): PredictionLog {
  const { secretRef: _secretRef, ...rest } = base ?? over;
  return { ...rest, ...over };
}
