import { createHash } from "node:crypto";

/** What a registry keeps of an artifact or image. */
export interface Pushed {
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: Buffer;
  readonly mediaType: string;
}

export interface PushedLayer {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const digestOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** An artifact of named files, as `oras push` makes it. */
export function artifactOf(files: Readonly<Record<string, Buffer>>): Pushed {
  const layers = Object.entries(files).map(([title, bytes]) => ({
    mediaType: "application/octet-stream",
    bytes,
    annotations: { "org.opencontainers.image.title": title },
  }));
  return pushed(layers, "application/vnd.oci.empty.v1+json");
}

/** An image of these layers, as `docker build` makes it. */
export function imageOf(layers: readonly Buffer[]): Pushed {
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  return pushed(
    layers.map((bytes) => ({ mediaType, bytes })),
    "application/vnd.oci.image.config.v1+json",
  );
}

export function pushed(layers: readonly PushedLayer[], configType: string): Pushed {
  const config = { mediaType: configType, bytes: Buffer.from("{}") };
  const descriptor = ({ bytes, ...rest }: PushedLayer): object => ({
    ...rest,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = { schemaVersion: 2, mediaType, config: descriptor(config), layers: layers.map(descriptor) };
  return {
    blobs: new Map([config, ...layers].map(({ bytes }) => [digestOf(bytes), bytes])),
    manifest: Buffer.from(JSON.stringify(manifest)),
    mediaType,
  };
}
