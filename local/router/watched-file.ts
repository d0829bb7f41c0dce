import { watch } from "node:fs";
import { readFile } from "node:fs/promises";

/** A watch of a folder misses changes on some file systems, and one that comes while a file is being read. */
const POLL_MS = 250;

export interface WatchedFile {
  readonly path: string;
  /** Where a swap of symbolic links shows. */
  readonly folder: string;
  /** Called with the content now, before the watch is returned, and whenever it differs from the last one. */
  readonly onContent: (text: string) => void;
  readonly onError: (error: Error) => void;
}

export interface FileWatch {
  close(): void;
}

export async function watchFile({ path, folder, onContent, onError }: WatchedFile): Promise<FileWatch> {
  let last: string | undefined;
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const text = await readFile(path, "utf8");
      if (text !== last) onContent((last = text));
    } catch (error) {
      // Missing is a state, not a failure: not written yet, or between the steps of a swap.
      if (error instanceof Error && !("code" in error && error.code === "ENOENT")) onError(error);
    } finally {
      looking = false;
    }
  };
  await look();
  const poll = setInterval(() => void look(), POLL_MS);
  const watcher = watch(folder, () => void look());
  watcher.on("error", onError);
  return {
    close() {
      clearInterval(poll);
      watcher.close();
    },
  };
}
