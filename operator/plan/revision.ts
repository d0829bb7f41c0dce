import { createHash } from "node:crypto";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { PodTemplate } from "../api/pod-template.ts";
import type { PredictionLog, Serving } from "../api/serving.ts";
import type { Source } from "../api/source.ts";

/** What one set of pods is made from. It changes only in replicas and autoscaling; anything else is a new revision. */
export interface Revision {
  /** Version name and hash: `v1-x7k2p9qd`. */
  readonly id: string;
  readonly version: string;
  /** Absent where an image of the user's own serves whatever is in it. */
  readonly source?: Source;
  /** What an alias in the source's uri names: `models:/Loan/7`. */
  readonly artifact?: string;
  /** spec.serving with the version's own fields laid over it, undefaulted. */
  readonly serving: Omit<Serving, "podTemplate">;
  /** To be laid over the pods' template in this order: spec.serving's, then the version's own. */
  readonly podTemplates?: readonly PodTemplate[];
}

export interface DesiredRevision extends Revision {
  /** The image that the version names, if it does. */
  readonly image?: string;
  /** Percent, 0 to 100. */
  readonly weight: number;
}

/** What the aliases in the versions' sources name, by version. */
export type Artifacts = ReadonlyMap<string, string>;

/** The revisions that the spec asks for, in its order. */
export function desiredRevisions(
  { name, spec, versions }: ValidModelDeployment,
  artifacts: Artifacts = new Map(),
): DesiredRevision[] {
  return versions.map((version) => {
    const { podTemplate: general, ...base } = spec.serving ?? {};
    const { podTemplate: own, ...over } = version.serving ?? {};
    const podTemplates = [general, own].flatMap((given) => (given === undefined || isEmpty(given) ? [] : [given]));
    const artifact = artifacts.get(version.name);
    const revision = {
      version: version.name,
      ...(version.source && { source: version.source }),
      ...(artifact !== undefined && { artifact }),
      ...(version.image !== undefined && { image: version.image }),
      serving: overlay(base, over),
      ...(podTemplates.length > 0 && { podTemplates }),
    };
    return { id: `${version.name}-${revisionHash(name, revision)}`, ...revision, weight: version.weight };
  });
}

/**
 * Eight characters that change with anything the pods are made from, as the user wrote it: never with a default of the
 * operator, so that upgrading it rolls nothing. The object's name is part of it, so that `a` with version `b-c` and
 * `a-b` with version `c` name their children differently.
 */
function revisionHash(name: string, revision: Omit<DesiredRevision, "id" | "weight">): string {
  const { version, source, artifact, image, serving, podTemplates } = revision;
  const { replicas: _replicas, autoscaling: _autoscaling, ...settings } = serving;
  const template = withoutEmpty({ ...settings, podTemplates });
  const digest = createHash("sha256")
    .update(canonicalJson({ name, version, source, artifact, image, template }))
    .digest();
  return Array.from(digest.subarray(0, 8), (byte) => HASH_ALPHABET[byte % HASH_ALPHABET.length]).join("");
}

/** Without vowels, so that no hash is a word, and 0, 1 and 3, which are misread (Kubernetes' own choice for pod names). */
const HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** JSON with sorted keys: equal values are equal text. Of plain data: dates are text already. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** Asked of every child in every pass: a replacer, which JSON.stringify calls for each value, takes twice as long. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const fields = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(fields).toSorted();
  return Object.fromEntries(names.map((name) => [name, sorted(fields[name])]));
}

/** `resources: {}` means the same as no resources at all. */
function withoutEmpty(value: unknown): unknown {
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, child]) => [key, withoutEmpty(child)] as const);
  return Object.fromEntries(entries.filter(([, child]) => !(isObject(child) && Object.keys(child).length === 0)));
}

function isEmpty(value: object): boolean {
  return canonicalJson(withoutEmpty(value)) === "{}";
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
