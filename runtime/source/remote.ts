import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import type { Artifact } from "./artifact.ts";
import { ArtifactCache } from "./cache.ts";
import { beforeDeadline, download } from "./download.ts";
import { httpOrigin } from "./http.ts";
import { hubOrigin } from "./hub.ts";
import { fileOrigin } from "./local-archive.ts";
import { parseLocation } from "./location.ts";
import type { Location, RemoteLocation } from "./location.ts";
import { mlflowOrigin, MlflowServer } from "./mlflow.ts";
import { objectOrigin } from "./object-store.ts";
import type { Origin } from "./origin.ts";
import { registryOrigin } from "./registry.ts";
import { withRetries } from "./retry.ts";

/** An alias may move at any time: it is looked up once, and from then on it is the version that counts. */
export async function mlflowArtifact(
  location: Extract<Location, { kind: "mlflow" }>,
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<Artifact> {
  const { uri, reference } = location;
  if ("alias" in reference) {
    const { model, alias } = reference;
    const server = new MlflowServer(uri, config);
    const version = await beforeDeadline(uri, config, signal, (signal) =>
      withRetries(() => server.versionOf(model, alias, signal), logger, signal),
    );
    logger.info({ source: uri, version }, "alias is resolved");
    return mlflowArtifact({ ...location, reference: { model, version } }, config, logger, signal);
  }
  const artifact = await remoteArtifact(location, config, logger, signal);
  return { ...artifact, ...("version" in reference && { version: reference.version }) };
}

/** Downloads it, unless the cache has it by the digest that the spec pins. Throws a LoadError, or the signal's reason. */
export async function remoteArtifact(
  location: RemoteLocation,
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<Artifact> {
  const { uri } = location;
  const cache = new ArtifactCache(config.cacheDir, config.cacheMaxBytes);
  const cached = config.modelSha256 && (await cache.find(config.modelSha256));
  if (cached) {
    logger.info({ source: uri, sha256: config.modelSha256 }, "artifact is cached");
    return { folder: cached.folder, file: undefined, sha256: cached.sha256, bytes: cached.bytes, uri };
  }
  const staging = await cache.stage();
  try {
    const sha256 = await download(await originOf(location, config), staging, { config, logger, signal, uri });
    const { folder, bytes } = await cache.keep(staging, sha256);
    return { folder, file: undefined, sha256, bytes, uri };
  } finally {
    await cache.discard(staging);
  }
}

async function originOf(location: RemoteLocation, config: Config): Promise<Origin> {
  switch (location.kind) {
    case "path":
      return fileOrigin(location.path, location.uri);
    case "http":
      return httpOrigin(location.url, location.uri, config);
    case "mlflow":
      return mlflowOrigin(location, config, async (artifactUri) => {
        const storage = parseLocation(artifactUri, config);
        if (["configmap", "pvc", "path", "mlflow"].includes(storage.kind))
          throw new LoadError(
            "UnsupportedSource",
            `loading ${location.uri}: its artifacts are at ${storage.uri}, which only the MLflow server itself can read; start it with --artifacts-destination`,
          );
        return originOf(storage as RemoteLocation, config);
      });
    case "hf":
      return hubOrigin(location, config);
    case "oci":
      return registryOrigin(location, config);
    // The SDKs take 0.1 s and 36 MB and more: only who needs one pays.
    case "s3":
      return objectOrigin(location, (await import("./s3.ts")).s3Store(location, config));
    case "gs":
      return objectOrigin(location, (await import("./gcs.ts")).gcsStore(location, config));
    case "az":
      return objectOrigin(location, (await import("./azure.ts")).azureStore(location, config));
  }
}
