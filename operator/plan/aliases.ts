import type { ValidModelDeployment, ValidVersion } from "../api/parse.ts";
import type { PinnedRevision, RolloutRecord } from "./record.ts";
import { canonicalJson } from "./revision.ts";
import type { Artifacts } from "./revision.ts";

/** `models:/Loan@champion` in one MLflow server. */
export interface AliasReference {
  readonly trackingUri: string;
  /** Whose Secrets hold the credentials. */
  readonly namespace: string;
  readonly secret?: string;
  readonly model: string;
  readonly alias: string;
}

export interface AliasProblem {
  readonly reason: "ArtifactNotFound" | "AccessDenied" | "RegistryUnavailable";
  readonly message: string;
}

/** What a registry said last: a version, and why it could not say so again. Neither while it has not been asked. */
export interface AliasState {
  readonly version?: string;
  readonly problem?: AliasProblem;
}

export interface ResolvedAliases {
  readonly artifacts: Artifacts;
  /** Problems of aliases whose former answer goes on counting, with the path of the field. */
  readonly stale: readonly AliasProblem[];
  /** The first alias of which nothing is known: nothing can be planned before. */
  readonly unresolved?: AliasProblem | "Pending";
}

/** The aliases that the versions' sources name, by version. */
export function aliasReferences({ namespace, versions }: ValidModelDeployment): Map<string, AliasReference> {
  return new Map(
    versions.flatMap(({ name, source: { uri = "", mlflow } = {} }) => {
      const [, model, alias] = /^models:\/([^/@]+)@(.+)$/.exec(uri) ?? [];
      if (mlflow === undefined || model === undefined || alias === undefined) return [];
      const { trackingUri, secretRef } = mlflow;
      const secret = secretRef && { secret: secretRef.name };
      return [[name, { trackingUri, namespace, ...secret, model, alias }] as const];
    }),
  );
}

/**
 * What each alias that `references` has by version names now. A registry that is away changes nothing that serves: what the record has pinned for the
 * same source counts until it answers again.
 */
export function resolveAliases(
  { versions }: ValidModelDeployment,
  references: ReadonlyMap<string, AliasReference>,
  record: RolloutRecord | undefined,
  stateOf: (reference: AliasReference) => AliasState,
): ResolvedAliases {
  const artifacts = new Map<string, string>();
  const stale: AliasProblem[] = [];
  let unresolved: ResolvedAliases["unresolved"];
  for (const [index, version] of versions.entries()) {
    const reference = references.get(version.name);
    if (reference === undefined) continue;
    const { version: named, problem } = stateOf(reference);
    const artifact = named === undefined ? pinnedArtifact(version, record) : `models:/${reference.model}/${named}`;
    const told = problem && { ...problem, message: `spec.versions[${index}].source: ${problem.message}` };
    if (artifact !== undefined) artifacts.set(version.name, artifact);
    if (artifact !== undefined && told !== undefined) stale.push(told);
    if (artifact === undefined) unresolved ??= told ?? "Pending";
  }
  return { artifacts, stale, ...(unresolved !== undefined && { unresolved }) };
}

/** Of several revisions from one source, the one that the record moves to, or has moved to. */
function pinnedArtifact({ name, source }: ValidVersion, record: RolloutRecord | undefined): string | undefined {
  if (record === undefined) return undefined;
  const isSame = (revision: PinnedRevision): boolean =>
    revision.version === name && canonicalJson(revision.source) === canonicalJson(source);
  const candidates = Object.entries(record.revisions).filter(
    ([id, revision]) => isSame(revision) && record.draining[id] === undefined,
  );
  const target = candidates.find(([id]) => record.to.split.some(({ revision }) => revision === id));
  return (target ?? candidates[0])?.[1].artifact;
}
