import { dirname } from "node:path";

/**
 * Folders whose tests start no cluster and leave nothing behind in their process: no variable of the environment, no
 * listener, no default that they set. The files directly in such a folder, or in one below, share a process.
 */
const SHARING = ["test/operator", "test/runtime/model", "test/runtime/protocol"];

/** A file with this folder or name takes long, as seen on two cores; the first takes longest. */
const LONGEST = [
  "test/local/start/npm-start",
  "test/integration/traffic/",
  "test/local/start/restart",
  "test/runtime/",
  "test/local/serve/",
  "test/local/",
  "test/integration/",
];

/** The files that share a process, together. What takes long comes first, so that all lanes end at about the same time. */
export function schedule(files: readonly string[]): string[][] {
  return [...Map.groupBy(files, processOf).values()].toSorted((a, b) => rank(a) - rank(b));
}

function processOf(file: string): string {
  const folder = dirname(file);
  return SHARING.some((shared) => `${folder}/`.startsWith(`${shared}/`)) ? folder : file;
}

function rank([file = ""]: readonly string[]): number {
  const found = LONGEST.findIndex((start) => file.startsWith(start));
  return found < 0 ? LONGEST.length : found;
}
