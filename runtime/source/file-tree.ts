import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { LoadError } from "../load-error.ts";

/** A model has a handful of files; a folder with more is a mistaken path such as `/`. */
const MAX_FILES = 10_000;

export interface TreeFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
}

/** All files of a folder, sorted bytewise. Dot files are left out, and with them the `..data` of kubelet's volumes. */
export async function listFiles(folder: string, source: string, maxBytes: number): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  const visited = new Set<number>();
  let total = 0;
  const visit = async (prefix: string): Promise<void> => {
    for (const name of await readdir(join(folder, prefix))) {
      if (name.startsWith(".")) continue;
      const path = prefix + name;
      const stats = await stat(join(folder, path)); // follows links: kubelet's volumes consist of them
      if (stats.isDirectory()) {
        if (visited.has(stats.ino)) continue; // a link to a folder above
        visited.add(stats.ino);
        await visit(`${path}/`);
      } else if (stats.isFile()) {
        total += stats.size;
        files.push({ path, bytes: stats.size });
      }
      if (total > maxBytes) throw tooLarge(source, maxBytes);
      if (files.length > MAX_FILES) {
        throw new LoadError(
          "ArtifactTooLarge",
          `loading ${source}: the folder has more than ${MAX_FILES} files; is it the model's folder?`,
        );
      }
    }
  };
  await visit("");
  return files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

export function tooLarge(source: string, maxBytes: number): LoadError {
  return new LoadError(
    "ArtifactTooLarge",
    `loading ${source}: it has more than ${maxBytes} bytes; serve a smaller model, or raise MAX_ARTIFACT_BYTES`,
  );
}

/** A file of so many bytes is read at once, which takes less time than to make a stream of it. */
const SMALL = 1024 ** 2;

/** SHA-256 of a file's bytes, in hex. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  if ((await stat(path)).size <= SMALL) return hash.update(await readFile(path)).digest("hex");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** SHA-256, in hex, of the lines that `sha256sum` prints for the files: independent of their order on disk. */
export async function folderDigest(folder: string, files: readonly TreeFile[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { path } of files) hash.update(`${await fileDigest(join(folder, path))}  ${path}\n`);
  return hash.digest("hex");
}
