import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { KubeObject } from "../cluster/objects.ts";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; resourceVersion?: string };
  [field: string]: unknown;
}

interface ResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

/** kubectl's own name for server-side apply, so that a later `kubectl apply --server-side` of the same files meets no conflict. */
export const FIELD_MANAGER = "kubectl";

/** All objects of a folder's YAML files, in the files' order. */
export function readManifests(folder: string): Manifest[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), "utf8")))
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

export async function applyManifest(client: ClusterClient, manifest: Manifest): Promise<void> {
  await client.request("PATCH", await pathOf(client, manifest), {
    patch: "apply",
    query: { fieldManager: FIELD_MANAGER, force: true },
    body: manifest,
  });
}

/** The object as it is; undefined when there is none. */
export async function readManifest(
  client: ClusterClient,
  manifest: Manifest,
): Promise<(Manifest & KubeObject) | undefined> {
  try {
    return await client.request<Manifest & KubeObject>("GET", await pathOf(client, manifest));
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/**
 * Applies all of an example, unless a former run did: from then on it is the user's, with what they made of it. The last
 * manifest tells, for it needs the others. Returns whether it did.
 */
export async function applyOnce(client: ClusterClient, manifests: readonly Manifest[]): Promise<boolean> {
  const last = manifests.at(-1);
  if (last !== undefined && (await readManifest(client, last)) !== undefined) return false;
  for (const manifest of manifests) await applyManifest(client, manifest);
  return true;
}

async function pathOf(client: ClusterClient, { apiVersion, kind, metadata }: Manifest): Promise<string> {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await client.request<ResourceList>("GET", root);
  const resource = resources.find((candidate) => candidate.kind === kind && !candidate.name.includes("/"));
  if (resource === undefined) throw new Error(`applying ${kind} ${metadata.name}: ${apiVersion} has no such kind`);
  const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? "default"}` : "";
  return `${root}${namespace}/${resource.name}/${metadata.name}`;
}
