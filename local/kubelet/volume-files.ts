import type { Pod, Volume } from "../cluster/objects.ts";
import { podField, type Objects } from "./container-environment.ts";

/** What a volume holds: relative path -> bytes. */
export type VolumeFiles = Map<string, Buffer>;

/** A volume cannot be set up yet, or never here; kubectl shows it as FailedMount. */
export class VolumeError extends Error {
  override readonly name: string = "VolumeError";
}

/** It will be there in a moment: nothing that a person should read about. */
export class VolumePendingError extends VolumeError {
  override readonly name = "VolumePendingError";
}

type Projection = NonNullable<NonNullable<Volume["projected"]>["sources"]>[number];
type Item = { key: string; path: string };
type Fields = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>;

/** Gives a token for the pod's service account, as a projected volume asks for it. */
export type TokenSource = (audience: string | undefined) => string;

interface Surroundings {
  pod: Pod;
  podIP: string;
  objects: Objects;
  token: TokenSource;
}

/**
 * The files of a volume whose content comes from the API server.
 * @throws VolumeError
 */
export function volumeFiles(volume: Volume, around: Surroundings): VolumeFiles {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) return configMapFiles(configMap.name, configMap, around);
  if (secret !== undefined) return secretFiles(secret.secretName, secret, around);
  if (downwardAPI !== undefined) return fieldFiles(downwardAPI.items ?? [], around);
  if (projected !== undefined) return projectedFiles(projected.sources ?? [], around);
  throw new VolumeError(
    `volume "${volume.name}": the local kubelet mounts only configMap, secret, emptyDir, downwardAPI and projected volumes`,
  );
}

function configMapFiles(
  name = "",
  options: { items?: Item[]; optional?: boolean },
  { pod, objects }: Surroundings,
): VolumeFiles {
  const configMap = objects.configMaps.get(pod.metadata.namespace, name);
  if (configMap === undefined && options.optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  const files: VolumeFiles = new Map();
  for (const [key, text] of Object.entries(configMap?.data ?? {})) files.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(configMap?.binaryData ?? {}))
    files.set(key, Buffer.from(base64, "base64"));
  return chosen(files, options, `configmap "${name}"`);
}

function secretFiles(
  name = "",
  options: { items?: Item[]; optional?: boolean },
  { pod, objects }: Surroundings,
): VolumeFiles {
  const secret = objects.secrets.get(pod.metadata.namespace, name);
  if (secret === undefined && options.optional !== true) throw new VolumeError(`secret "${name}" not found`);
  const files: VolumeFiles = new Map();
  for (const [key, base64] of Object.entries(secret?.data ?? {})) files.set(key, Buffer.from(base64, "base64"));
  return chosen(files, options, `secret "${name}"`);
}

function chosen(
  files: VolumeFiles,
  { items, optional }: { items?: Item[]; optional?: boolean },
  what: string,
): VolumeFiles {
  if (items === undefined) return files;
  const selected: VolumeFiles = new Map();
  for (const { key, path } of items) {
    const bytes = files.get(key);
    if (bytes !== undefined) selected.set(path, bytes);
    else if (optional !== true) throw new VolumeError(`${what} has no key "${key}"`);
  }
  return selected;
}

function fieldFiles(items: Fields, { pod, podIP }: Surroundings): VolumeFiles {
  const files: VolumeFiles = new Map();
  for (const { path, fieldRef } of items) {
    if (fieldRef === undefined) throw new VolumeError(`downwardAPI file "${path}": only fieldRef is supported locally`);
    files.set(path, Buffer.from(podField(fieldRef.fieldPath, pod, podIP)));
  }
  return files;
}

function projectedFiles(sources: readonly Projection[], around: Surroundings): VolumeFiles {
  const files: VolumeFiles = new Map();
  for (const source of sources) {
    for (const [path, bytes] of projectionFiles(source, around)) files.set(path, bytes);
  }
  return files;
}

function projectionFiles(source: Projection, around: Surroundings): VolumeFiles {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined) return configMapFiles(configMap.name, configMap, around);
  if (secret !== undefined) return secretFiles(secret.name, secret, around);
  if (downwardAPI !== undefined) return fieldFiles(downwardAPI.items ?? [], around);
  if (serviceAccountToken !== undefined) {
    return new Map([[serviceAccountToken.path, Buffer.from(around.token(serviceAccountToken.audience))]]);
  }
  throw new VolumeError(`the local kubelet cannot project ${Object.keys(source).join(", ")}`);
}
