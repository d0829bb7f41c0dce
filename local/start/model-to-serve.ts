import { join } from "node:path";
import type { Edit } from "../model-folder/follow.ts";
import { nameOfFolder } from "../model-folder/name.ts";
import type { Snapshot, Snapshots } from "../model-folder/snapshots.ts";
import { API_VERSION, MODEL_NAMESPACE } from "./model-deployment.ts";
import { readManifests, type Manifest } from "./manifests.ts";

/** What `npm start` serves, and how one asks it. */
export interface ModelToServe {
  name: string;
  manifests: readonly Manifest[];
  /** The header that keeps a user with one version. */
  stickyHeader: string | undefined;
  /** The user's own, to be followed. */
  folder?: ModelFolder;
}

export interface ModelFolder {
  /** A folder or a graph's file. */
  path: string;
  /** The ModelDeployment that is made for it. */
  manifest: Manifest & { metadata: { namespace: string } };
  /** Its copies. */
  snapshots: Snapshots;
  /** The first of them: the model when all began. */
  snapshot: Snapshot;
  edits: AsyncGenerator<Edit>;
}

export function loanExample(projectFolder: string): ModelToServe {
  const manifests = readManifests(join(projectFolder, "examples", "loan"));
  return { name: "loan-predictor", manifests, stickyHeader: "x-user-id" };
}

/** A folder or an .onnx file of one's own, as one version. */
export function ownModel(folder: Omit<ModelFolder, "manifest">): ModelToServe {
  const name = nameOfFolder(folder.path);
  const manifest: ModelFolder["manifest"] = {
    apiVersion: API_VERSION,
    kind: "ModelDeployment",
    metadata: { name, namespace: MODEL_NAMESPACE },
    spec: { source: folder.snapshot.source, traffic: { service: { type: "LoadBalancer", port: 80 } } },
  };
  return { name, manifests: [manifest], stickyHeader: undefined, folder: { ...folder, manifest } };
}
