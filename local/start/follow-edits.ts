import type { Logger } from "pino";
import { hasStatus } from "../cluster/client.ts";
import type { Edit } from "../model-folder/follow.ts";
import type { Snapshot } from "../model-folder/snapshots.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { applyManifest, readManifest, type Manifest } from "./manifests.ts";
import type { ModelDeployment } from "./progress.ts";
import { untilReady } from "./until-ready.ts";

const TRIES = 5;

interface Followed {
  cluster: LocalCluster;
  /** The ModelDeployment that was made for the folder. */
  manifest: Manifest & { metadata: { namespace: string } };
  edits: AsyncGenerator<Edit>;
  /** The user's folder or file. */
  path: string;
  /** What it serves until the first of them. */
  snapshot: Snapshot;
  logger: Logger;
  tell: (text: string) => void;
  signal: AbortSignal;
}

/** Makes each edit of the folder the ModelDeployment's source, and tells what comes of it. Ends with the edits. */
export async function followEdits(followed: Followed): Promise<void> {
  const { edits, tell, signal } = followed;
  let { snapshot } = followed;
  let superseded = new AbortController();
  for await (const edit of edits) {
    superseded.abort();
    superseded = new AbortController();
    if (edit.is === "unreadable") {
      tell(`This edit cannot be read: ${edit.why}`);
      continue;
    }
    const problem = await applySource(followed, snapshot, edit.snapshot);
    if (problem !== undefined) {
      tell(`This edit is not served: ${problem}\n  It is kept at ${edit.snapshot.source.uri}`);
      continue;
    }
    snapshot = edit.snapshot;
    const until = AbortSignal.any([signal, superseded.signal]);
    void outcomeOfEdit(followed, snapshot, until).then(tell, (error: unknown) => {
      if (!until.aborted) tell(`What became of this edit is not known: ${(error as Error).message}`);
    });
  }
}

/** Returns why not, when the user has meanwhile made something else of the ModelDeployment. */
async function applySource(
  { cluster, manifest }: Followed,
  { source: from }: Snapshot,
  { source: to }: Snapshot,
): Promise<string | undefined> {
  const { name } = manifest.metadata;
  for (let tries = 1; ; tries++) {
    const live = (await readManifest(cluster.client, manifest)) as (Manifest & { spec: Spec }) | undefined;
    if (live === undefined) return `ModelDeployment ${name} was deleted.`;
    if (live.spec.source?.uri !== from.uri)
      return `the spec of ${name} names another source by now; change that, or start again.`;
    const { resourceVersion } = live.metadata;
    const metadata = { ...manifest.metadata, ...(resourceVersion !== undefined && { resourceVersion }) };
    try {
      await applyManifest(cluster.client, { ...manifest, metadata, spec: { ...live.spec, source: to } });
      return undefined;
    } catch (error) {
      if (tries === TRIES || !hasStatus(error, 409)) throw error; // 409: changed since it was read
    }
  }
}

interface Spec {
  source?: { uri: string };
}

async function outcomeOfEdit(
  { cluster, manifest, logger, path }: Followed,
  { source }: Snapshot,
  signal: AbortSignal,
): Promise<string> {
  const { name, namespace } = manifest.metadata;
  const outcome = await untilReady({ cluster, namespace, name, display: { show: () => undefined }, logger, signal });
  if (outcome.is === "failed")
    return `This edit is not served, the model before it goes on.\n  ${outcome.why.replaceAll(source.uri, path)}`;
  const { status } = ((await readManifest(cluster.client, manifest)) ?? {}) as Pick<ModelDeployment, "status">;
  const serving = status?.revisions?.find(({ state }) => state === "Serving");
  return `The edit is served${serving === undefined ? "" : `: revision ${serving.revision}`}.`;
}
