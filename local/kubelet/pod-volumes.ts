import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ClusterView } from "../cluster/view.ts";
import type { Container, Pod, Volume } from "../cluster/objects.ts";
import { writeFolderAtomically } from "./atomic-folder.ts";
import type { ContainerPaths } from "./container-paths.ts";
import { localBootstrap, localClusters } from "./router-config.ts";
import { volumeFiles, VolumeError, type TokenSource, type VolumeFiles } from "./volume-files.ts";

interface Mount {
  mount: NonNullable<Container["volumeMounts"]>[number];
  paths: ContainerPaths;
  written?: VolumeFiles;
}

/**
 * The mounts of one pod as folders. Each container has its own copy of a volume with content, so that no path leads out of
 * its root; an emptyDir is shared, by a link.
 */
export class PodVolumes {
  private readonly folder: string;
  private readonly view: ClusterView;
  private readonly token: TokenSource;
  private readonly mounts: Mount[] = [];

  constructor(folder: string, view: ClusterView, token: TokenSource) {
    this.folder = folder;
    this.view = view;
    this.token = token;
  }

  add(container: Container, paths: ContainerPaths): void {
    for (const mount of container.volumeMounts ?? []) this.mounts.push({ mount, paths });
  }

  /** Brings the folders up to date with the cluster. @throws VolumeError when one cannot be made, or not yet */
  write(pod: Pod, podIP: string): void {
    for (const mount of this.mounts) {
      const volume = volumeOf(pod, mount);
      if (volume.emptyDir === undefined) this.writeFiles(volume, mount, pod, podIP);
      else this.linkEmptyDir(volume, mount);
    }
  }

  private writeFiles(volume: Volume, mount: Mount, pod: Pod, podIP: string): void {
    const files = volumeFiles(volume, { pod, podIP, objects: this.view, token: this.token });
    if (volume.configMap !== undefined) this.localiseRouterConfig(files, mount.paths, podIP);
    if (mount.written !== undefined && sameFiles(mount.written, files)) return;
    writeFolderAtomically(mount.paths.inside(mount.mount.mountPath), files);
    mount.written = files;
  }

  private localiseRouterConfig(files: VolumeFiles, paths: ContainerPaths, podIP: string): void {
    const clusters = files.get("clusters.yaml");
    if (clusters === undefined) return;
    const cluster = {
      service: (namespace: string, name: string) => this.view.services.get(namespace, name),
      pods: () => this.view.pods.list(),
    };
    files.set("clusters.yaml", Buffer.from(localClusters(clusters.toString(), cluster)));
    const bootstrap = files.get("envoy.yaml");
    if (bootstrap === undefined) return;
    files.set("envoy.yaml", Buffer.from(localBootstrap(bootstrap.toString(), podIP, (path) => paths.localise(path))));
  }

  private linkEmptyDir(volume: Volume, mount: Mount): void {
    if (mount.written !== undefined) return;
    const shared = join(this.folder, volume.name);
    const link = mount.paths.inside(mount.mount.mountPath);
    mkdirSync(shared, { recursive: true });
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    symlinkSync(shared, link);
    mount.written = new Map();
  }
}

function volumeOf(pod: Pod, { mount: { name, subPath = "", subPathExpr = "" } }: Mount): Volume {
  const volume = pod.spec.volumes?.find((candidate) => candidate.name === name);
  if (volume === undefined) throw new VolumeError(`a container mounts "${name}", a volume that the pod has not`);
  if (subPath + subPathExpr !== "")
    throw new VolumeError(`volume "${name}": the local kubelet does not support subPath`);
  return volume;
}

function sameFiles(a: VolumeFiles, b: VolumeFiles): boolean {
  return a.size === b.size && [...a].every(([path, bytes]) => b.get(path)?.equals(bytes) === true);
}
