import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileDigest, folderDigest, listFiles } from "../../runtime/source/file-tree.ts";

/** The files that make up a model on disk. */
export interface ModelFiles {
  /** Where their paths begin. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** The one that was named, when it was no folder. */
  readonly file: string | undefined;
}

/**
 * All files of a folder; of a single graph it and what its name begins: exporters put weights into model.onnx.data.
 * @throws the file system's error, LoadError for a folder that holds too many
 */
export async function modelFiles(path: string): Promise<ModelFiles> {
  if ((await stat(path)).isDirectory()) {
    return { folder: path, files: await listFiles(path, path, Number.POSITIVE_INFINITY), file: undefined };
  }
  const folder = dirname(path);
  const file = basename(path);
  const names = (await readdir(folder)).filter((name) => name.startsWith(file)).sort();
  const entries = await Promise.all(names.map(async (name) => ({ path: name, stats: await stat(join(folder, name)) })));
  const files = entries.filter(({ stats }) => stats.isFile()).map(({ path, stats }) => ({ path, bytes: stats.size }));
  return { folder, files, file };
}

/** Differs when a file was written, replaced, added or removed; much cheaper than reading them. */
export async function signatureOf({ folder, files }: ModelFiles): Promise<string> {
  const parts = files.map(async ({ path }) => {
    const { ino, size, mtimeNs } = await stat(join(folder, path), { bigint: true });
    return `${path} ${ino} ${size} ${mtimeNs}`;
  });
  return (await Promise.all(parts)).join("\n");
}

/** Of all the files' bytes, and the one that pins the model in a ModelDeployment; the same for a folder. */
export async function digestsOf({ folder, files, file }: ModelFiles): Promise<{ all: string; pin: string }> {
  const all = await folderDigest(folder, files);
  return { all, pin: file === undefined ? all : await fileDigest(join(folder, file)) };
}
