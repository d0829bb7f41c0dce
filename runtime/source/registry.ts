import { createHash } from "node:crypto";

import * as z from "zod";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { openUrl, readDocument } from "./http.ts";
import type { Origin, OriginFile } from "./origin.ts";
import { RegistryClient } from "./registry-client.ts";

interface RegistryLocation {
  readonly uri: string;
  readonly registry: string;
  readonly repository: string;
  /** A tag, or `sha256:…`. */
  readonly reference: string;
}

const DIGEST = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const DESCRIPTOR = z.object({
  mediaType: z.string(),
  digest: DIGEST,
  annotations: z.record(z.string(), z.string()).nullish(),
});
const MANIFEST = z.object({ config: DESCRIPTOR, layers: z.array(DESCRIPTOR).max(1000) });
const INDEX = z.object({
  manifests: z.array(DESCRIPTOR.extend({ platform: z.object({ os: z.string(), architecture: z.string() }).nullish() })),
});

type Layer = z.infer<typeof DESCRIPTOR>;

const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const IMAGE_CONFIGS = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/** The folder of an image that is the model; the rest of an image is not. */
const IMAGE_FOLDER = "models/";
const FILE_NAME = ["org.opencontainers.image.title", "org.cncf.model.filepath"];
/** By this, `oras push` marks a folder that it packed. */
const UNPACK = "io.deis.oras.content.unpack";

/** An image whose folder /models is the model, or an artifact whose layers are the model's files. */
export function registryOrigin({ uri, registry, repository, reference }: RegistryLocation, config: Config): Origin {
  const client = new RegistryClient({ uri, registry, repository }, config);
  const blobs = new Map<string, string>();

  const manifest = async (reference: string, signal: AbortSignal): Promise<unknown> => {
    const url = client.url(`manifests/${reference}`);
    const { json, bytes } = await client.authorized(
      (access) => readDocument(url, { ...access, accept: MANIFEST_TYPES.join(", ") }, signal),
      signal,
    );
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (reference.startsWith("sha256:") && digest !== reference)
      throw new LoadError("DigestMismatch", `loading ${uri}: the manifest's digest is ${digest}, not ${reference}`);
    return json;
  };

  const list = async (signal: AbortSignal): Promise<readonly OriginFile[]> => {
    let document = await manifest(reference, signal);
    const index = INDEX.safeParse(document);
    const ours = index.data && chosen(index.data);
    if (ours) document = await manifest(ours.digest, signal);
    const parsed = MANIFEST.safeParse(document);
    if (!parsed.success)
      throw new LoadError("UnsupportedFormat", `loading ${uri}: its manifest is neither an image's nor an artifact's`);
    const { config: settings, layers } = parsed.data;
    const isImage = IMAGE_CONFIGS.includes(settings.mediaType) && !layers.some((layer) => titleOf(layer) !== undefined);
    return layers.map((layer, position) => {
      const file = isImage ? { path: `layer-${position}.tar`, layerOf: IMAGE_FOLDER } : artifactFile(layer, uri);
      blobs.set(file.path, layer.digest);
      return { ...file, sha256: layer.digest.slice("sha256:".length) };
    });
  };

  return {
    list,
    open(file, signal, held) {
      const url = client.url(`blobs/${blobs.get(file.path) ?? ""}`);
      return client.authorized((access) => openUrl(url, file, { ...access, immutable: true }, signal, held), signal);
    },
  };
}

/** Models are the same on every platform, so any will do; ours is most likely to be there. */
function chosen({ manifests }: z.infer<typeof INDEX>): Layer | undefined {
  const architecture = { x64: "amd64" }[process.arch as string] ?? process.arch;
  const ours = manifests.find(({ platform }) => platform?.os === "linux" && platform.architecture === architecture);
  return ours ?? manifests[0];
}

function artifactFile(layer: Layer, uri: string): OriginFile {
  const title = titleOf(layer);
  const isTar = /(?:^|[.+/])tar(?:$|[.+])/.test(layer.mediaType);
  if (layer.annotations?.[UNPACK] === "true" || (title === undefined && isTar))
    return { path: `${layer.digest.slice("sha256:".length)}.tar`, layerOf: "" };
  if (title !== undefined) return { path: title };
  throw new LoadError(
    "UnsupportedFormat",
    `loading ${uri}: a layer of type ${layer.mediaType} has no file name (${FILE_NAME[0]}); push it with oras, or as an image with /${IMAGE_FOLDER}`,
  );
}

const titleOf = ({ annotations }: Layer): string | undefined =>
  FILE_NAME.map((key) => annotations?.[key]).find((name) => name !== undefined);
