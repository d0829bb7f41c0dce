import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { LoadError } from "../load-error.ts";

interface SmallFile {
  readonly folder: string;
  readonly file: string;
  readonly maxBytes: number;
}

/** The text of a file in the model's folder; undefined when there is none. Throws a LoadError for one that is too large to be it. */
export async function readSmallFile(
  { folder, file, maxBytes }: SmallFile,
  source: string,
): Promise<string | undefined> {
  const path = join(folder, file);
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stats === undefined) return undefined;
  if (stats.size > maxBytes)
    throw new LoadError(
      "InvalidModel",
      `loading ${source}: ${file} has ${stats.size} bytes, at most ${maxBytes} are read`,
    );
  return readFile(path, "utf8");
}
