import { readdir, rename, rmdir } from "node:fs/promises";
import { join } from "node:path";

import { LoadError } from "../load-error.ts";
import { damagedArchive, Extraction } from "./extraction.ts";
import type { UnpackOptions } from "./extraction.ts";
import { unpackTar } from "./tar.ts";
import { unpackZip } from "./zip.ts";

/**
 * Unpacks the regular files of an archive into `folder`. `name` tells its format. Throws a LoadError for anything else than files and folders (links could leave the folder), for
 * damage, and at the limits.
 */
export async function unpack(archive: string, name: string, folder: string, options: UnpackOptions): Promise<void> {
  const extraction = new Extraction(folder, options);
  try {
    await (/\.zip$/i.test(name) ? unpackZip : unpackTar)(archive, extraction, options);
  } catch (cause) {
    options.signal.throwIfAborted();
    if (cause instanceof LoadError) throw cause;
    if (["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? "")) {
      throw new LoadError(
        "ArtifactTooLarge",
        `loading ${options.source}: no space is left in MODEL_CACHE_DIR to unpack it; give its volume more`,
        { cause },
      );
    }
    throw damagedArchive(options.source, (cause as Error).message, cause);
  }
}

/** When all lies in one folder, its content takes its place. */
export async function liftSingleFolder(folder: string): Promise<void> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
  const [only] = entries;
  if (entries.length !== 1 || !only?.isDirectory()) return;
  const inner = join(folder, only.name);
  const aside = join(folder, ".lifted");
  await rename(inner, aside); // the folder may hold an entry of its own name
  for (const name of await readdir(aside)) await rename(join(aside, name), join(folder, name));
  await rmdir(aside);
}
