import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const CURRENT = "..data";

/**
 * Makes `folder` hold exactly `files`, changed all at once as a kubelet does it: `..data` points to a folder of this
 * generation, each visible name points into `..data`, and only `..data` is replaced. A reader never sees half a change.
 */
export function writeFolderAtomically(folder: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(folder, { recursive: true });
  const generation = mkdtempSync(join(folder, "..generation-"));
  for (const [path, bytes] of files) {
    const file = join(generation, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }

  const previous = currentGeneration(folder);
  const next = join(folder, "..data-next");
  rmSync(next, { force: true });
  symlinkSync(generation.slice(folder.length + 1), next);
  renameSync(next, join(folder, CURRENT));

  linkVisibleNames(folder, new Set([...files.keys()].map((path) => path.split("/")[0] ?? path)));
  if (previous !== undefined) rmSync(join(folder, previous), { recursive: true, force: true });
}

function linkVisibleNames(folder: string, names: ReadonlySet<string>): void {
  const present = new Set(readdirSync(folder).filter((name) => !name.startsWith("..")));
  for (const name of names) if (!present.has(name)) symlinkSync(join(CURRENT, name), join(folder, name));
  for (const name of present) if (!names.has(name)) rmSync(join(folder, name));
}

function currentGeneration(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, CURRENT));
  } catch {
    return undefined; // the first generation has no previous one
  }
}
