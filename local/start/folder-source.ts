import { pathToFileURL } from "node:url";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { Snapshot } from "../model-folder/snapshots.ts";
import { fieldsAppliedBy } from "./applied-fields.ts";
import { folderVersion, ONLY_VERSION, withSource, type FolderVersion, type Spec } from "./folder-version.ts";
import { applyManifest, FIELD_MANAGER, readManifest, type Manifest } from "./manifests.ts";
import { MODEL_DEPLOYMENTS } from "./model-deployment.ts";
import type { ModelFolder } from "./model-to-serve.ts";

const TRIES = 5;

/** What the ModelDeployment did with a copy of the folder. */
export type Taken = { is: "taken"; version: string } | { is: "refused"; why: string };

/**
 * Serves the folder as it is now. A ModelDeployment of its name that a former run kept stays what the user made of it: one
 * of its versions gets the folder, if one can be said to be it.
 */
export async function serveFolder(
  client: ClusterClient,
  folder: ModelFolder,
): Promise<{ created: boolean; taken: Taken }> {
  const { manifest, snapshot } = folder;
  const live = await readManifest(client, manifest);
  if (live === undefined) {
    await applyManifest(client, manifest);
    return { created: true, taken: { is: "taken", version: ONLY_VERSION } };
  }
  const { versions } = live["spec"] as Spec;
  const asked: FolderVersion | undefined = versions === undefined ? { is: "version", name: ONLY_VERSION } : undefined;
  return { created: false, taken: await giveSource(client, folder, { from: snapshot, to: snapshot, asked }) };
}

interface Change {
  /** The source before. */
  from: Snapshot;
  to: Snapshot;
  /** The version that gets it, when that is known. */
  asked?: FolderVersion | undefined;
}

/** Makes a copy of the folder the source of the version that is the folder's, and changes nothing else of the object. */
export async function giveSource(
  client: ClusterClient,
  { manifest, path, snapshots }: ModelFolder,
  { from, to, asked }: Change,
): Promise<Taken> {
  const refused = (why: string): Taken => ({ is: "refused", why });
  const folder = {
    uri: pathToFileURL(path).href,
    last: from.source.uri,
    isCopy: (uri: string) => snapshots.holds(uri),
  };
  for (let tries = 1; ; tries++) {
    const live = await readManifest(client, manifest);
    if (live === undefined) return refused(`ModelDeployment ${manifest.metadata.name} was deleted`);
    const spec = live["spec"] as Spec;
    const version = asked ?? folderVersion(spec, folder);
    if (version.is === "none") return refused(version.why);
    try {
      await applyManifest(client, withVersionSource(manifest, live, version.name, to.source));
      return { is: "taken", version: version.name };
    } catch (error) {
      if (hasStatus(error, 400, 403, 422)) return refused((error as Error).message);
      if (tries === TRIES || !hasStatus(error, 409)) throw error; // 409: changed since it was read
    }
  }
}

/** Removes old copies of the folder that no ModelDeployment names: neither in its spec nor for a revision that it has. */
export async function forgetOldCopies(client: ClusterClient, { snapshots }: ModelFolder): Promise<void> {
  const models = JSON.stringify(await client.request("GET", MODEL_DEPLOYMENTS));
  await snapshots.forgetOld((digest) => models.includes(digest));
}

/**
 * The live object as its manager has applied it but for this source. Under kubectl's name, as at first: a file that the
 * user applies later can then leave the source out; and only kubectl's part: what others have set stays theirs.
 */
function withVersionSource(
  { apiVersion, kind, metadata }: Manifest,
  live: NonNullable<Awaited<ReturnType<typeof readManifest>>>,
  version: string,
  source: Snapshot["source"],
): Manifest {
  const applied = fieldsAppliedBy(FIELD_MANAGER, live) as { metadata?: object; spec?: Spec };
  const { resourceVersion } = live.metadata;
  return {
    ...applied,
    apiVersion,
    kind,
    metadata: { ...applied.metadata, ...metadata, resourceVersion },
    spec: withSource(applied.spec ?? {}, live["spec"] as Spec, version, source),
  };
}
