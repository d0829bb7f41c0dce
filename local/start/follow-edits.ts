import type { Logger } from "pino";
import type { Snapshot } from "../model-folder/snapshots.ts";
import { forgetOldCopies, giveSource } from "./folder-source.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { readManifest } from "./manifests.ts";
import type { ModelDeployment } from "./model-deployment.ts";
import type { ModelFolder } from "./model-to-serve.ts";
import { untilReady } from "./until-ready.ts";

interface Followed {
  cluster: LocalCluster;
  folder: ModelFolder;
  logger: Logger;
  tell: (text: string) => void;
  signal: AbortSignal;
}

/** Gives each edit of the folder to the ModelDeployment, and tells what comes of it. Ends with the edits. */
export async function followEdits(followed: Followed): Promise<void> {
  const { cluster, folder, tell, signal } = followed;
  const { client } = cluster;
  let { snapshot } = folder;
  let superseded = new AbortController();
  await forgetOldCopies(client, folder);
  for await (const edit of folder.edits) {
    superseded.abort();
    superseded = new AbortController();
    if (edit.is === "unreadable") {
      tell(`This edit cannot be read: ${edit.why}`);
      continue;
    }
    const taken = await giveSource(client, folder, { from: snapshot, to: edit.snapshot });
    await forgetOldCopies(client, folder);
    if (taken.is === "refused") {
      const { name } = folder.manifest.metadata;
      tell(`This edit is not served by ${name}: ${taken.why}\n  It is kept at ${edit.snapshot.source.uri}`);
      continue;
    }
    snapshot = edit.snapshot;
    const until = AbortSignal.any([signal, superseded.signal]);
    void outcomeOfEdit(followed, { snapshot, version: taken.version, until }).then(tell, (error: unknown) => {
      if (!until.aborted) tell(`What became of this edit is not known: ${(error as Error).message}`);
    });
  }
}

async function outcomeOfEdit(
  { cluster, folder: { manifest, path }, logger }: Followed,
  { snapshot, version, until }: { snapshot: Snapshot; version: string; until: AbortSignal },
): Promise<string> {
  const { name, namespace } = manifest.metadata;
  const display = { show: () => undefined };
  const outcome = await untilReady({ cluster, namespace, name, version, display, logger, signal: until });
  if (outcome.is === "failed")
    return `This edit is not served, the model before it goes on.\n  ${outcome.why.replaceAll(snapshot.source.uri, path)}`;
  const { status } = ((await readManifest(cluster.client, manifest)) ?? {}) as Pick<ModelDeployment, "status">;
  const serving = status?.revisions?.find((revision) => revision.version === version && revision.state === "Serving");
  return `The edit is served${serving === undefined ? "" : `: revision ${serving.revision}`}.`;
}
