import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { isGraph, notAGraph } from "../model/files.ts";
import { isArchive } from "./archive-name.ts";
import { ArtifactCache } from "./cache.ts";
import { requireDigest } from "./digest.ts";
import { fileDigest, folderDigest, listFiles, tooLarge } from "./file-tree.ts";
import { parseLocation } from "./location.ts";
import type { Location } from "./location.ts";
import type * as Remote from "./remote.ts";

/** A model on this machine, verified to be the one that the spec names. */
export interface Artifact {
  readonly folder: string;
  /** The graph's file when the source is a single file: its neighbours are then none of the model's. */
  readonly file: string | undefined;
  readonly sha256: string;
  readonly bytes: number;
  /** Where it came from, without credentials. */
  readonly uri: string;
  /** The registry's version, of a registered model. */
  readonly version?: string;
}

/** Brings the model of `MODEL_URI` to this machine. Throws a LoadError, or the signal's reason. */
export async function fetchArtifact(config: Config, logger: Logger, signal: AbortSignal): Promise<Artifact> {
  const location = parseLocation(config.modelUri, config);
  switch (location.kind) {
    case "path":
      return isArchive(location.path)
        ? (await remote()).remoteArtifact(location, config, logger, signal)
        : pathArtifact(location, config);
    case "configmap":
      return configMapArtifact(location, config);
    case "pvc":
      return claimArtifact(location, config, logger, signal);
    case "mlflow":
      return (await remote()).mlflowArtifact(location, config, logger, signal);
    case "http":
    case "s3":
    case "gs":
    case "az":
    case "hf":
    case "oci":
      return (await remote()).remoteArtifact(location, config, logger, signal);
  }
}

/** What fetches and its clients take longer to load than a model that is here already. */
const remote = (): Promise<typeof Remote> => import("./remote.ts");

/**
 * The same bytes once more, for another process or after they left the cache: they are fetched only when they are not on
 * this machine any more. Throws a LoadError (DigestMismatch) when the source has others by now.
 */
export async function fetchAgain(
  known: Artifact,
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<Artifact> {
  const cache = new ArtifactCache(config.cacheDir, config.cacheMaxBytes);
  const cached = known.file === undefined && (await cache.find(known.sha256));
  if (cached) return { ...known, folder: cached.folder };
  const fetched = await fetchArtifact({ ...config, modelSha256: known.sha256 }, logger, signal);
  return { ...fetched, ...(known.version !== undefined && { version: known.version }) };
}

async function pathArtifact({ uri, path }: { uri: string; path: string }, config: Config): Promise<Artifact> {
  const stats = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw cannotRead(uri, path, cause);
  });
  try {
    if (stats.isDirectory()) return await folderArtifact(uri, path, config);
    if (!isGraph(path)) throw notAGraph(basename(path), uri, path);
    if (stats.size > config.maxArtifactBytes) throw tooLarge(uri, config.maxArtifactBytes);
    const sha256 = await fileDigest(path);
    requireDigest(uri, sha256, config.modelSha256);
    return { folder: dirname(path), file: basename(path), sha256, bytes: stats.size, uri };
  } catch (error) {
    throw error instanceof LoadError ? error : cannotRead(uri, path, error as NodeJS.ErrnoException);
  }
}

/** Reads one generation of the volume: kubelet swaps the `..data` link when the ConfigMap changes. */
async function configMapArtifact(
  { uri, path, name }: { uri: string; path: string; name: string },
  config: Config,
): Promise<Artifact> {
  const generation = await realpath(join(path, "..data")).catch(() => path);
  const mount = await realpath(path).catch(() => undefined);
  if (mount === undefined) throw configMapNotFound(uri, name, `is not mounted at ${path}`);
  if (!`${generation}/`.startsWith(`${mount}/`) && generation !== path) {
    throw new LoadError("InvalidConfiguration", `loading ${uri}: ${path}/..data leads out of the volume`);
  }
  // The mount is optional, and of a ConfigMap that does not exist a kubelet mounts an empty folder.
  if ((await readdir(generation)).length === 0) throw configMapNotFound(uri, name, "holds no files, or is not there");
  return pathArtifact({ uri, path: generation }, config);
}

/** Links of the claim may lead about in it, but not out of it. */
async function claimArtifact(
  { uri, path, mount, claim }: Extract<Location, { kind: "pvc" }>,
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<Artifact> {
  const root = await realpath(mount).catch((cause: unknown) => {
    throw new LoadError("ArtifactNotFound", `loading ${uri}: claim ${claim} is not mounted at ${mount}`, { cause });
  });
  const target = await realpath(path).catch((cause: NodeJS.ErrnoException) => {
    throw cannotRead(uri, path, cause);
  });
  if (!`${target}/`.startsWith(`${root}/`)) {
    throw new LoadError("InvalidConfiguration", `loading ${uri}: ${path} leads out of the volume`);
  }
  return isArchive(target)
    ? (await remote()).remoteArtifact({ kind: "path", uri, path: target }, config, logger, signal)
    : pathArtifact({ uri, path: target }, config);
}

async function folderArtifact(uri: string, folder: string, config: Config): Promise<Artifact> {
  const files = await listFiles(folder, uri, config.maxArtifactBytes);
  if (files.length === 0) {
    throw new LoadError("ArtifactNotFound", `loading ${uri}: the folder is empty; it needs a model.onnx`);
  }
  const sha256 = await folderDigest(folder, files);
  requireDigest(uri, sha256, config.modelSha256);
  return { folder, file: undefined, sha256, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), uri };
}

function configMapNotFound(uri: string, name: string, how: string): LoadError {
  return new LoadError(
    "ArtifactNotFound",
    `loading ${uri}: ConfigMap ${name} ${how}; does it exist in the namespace of the ModelDeployment?`,
  );
}

function cannotRead(uri: string, path: string, cause: NodeJS.ErrnoException): LoadError {
  if (cause.code === "ENOENT" || cause.code === "ENOTDIR") {
    return new LoadError(
      "ArtifactNotFound",
      `loading ${uri}: there is no ${path} (any more); check the path and the volume mount`,
      { cause },
    );
  }
  if (cause.code === "EACCES" || cause.code === "EPERM") {
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: this process may not read ${path}; it runs as user ${process.getuid?.() ?? "?"}`,
      { cause },
    );
  }
  return new LoadError("SourceUnavailable", `loading ${uri}: reading ${path} failed: ${cause.message}`, { cause });
}
