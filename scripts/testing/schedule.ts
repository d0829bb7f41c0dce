import { dirname } from "node:path";

/**
 * Folders whose files share a process, one for each folder in them: no test there sets a variable of the environment, a
 * default or a listener of its process. Whole systems, of which tests kill and starve parts, are kept apart.
 */
const SHARING = [
  "test/examples",
  "test/integration/objects",
  "test/local/api-server",
  "test/operator",
  ...["batching", "golden", "grpc", "http", "model", "prediction-log", "processes", "protocol", "source"].map(
    (folder) => `test/runtime/${folder}`,
  ),
];

/** A file with this folder or name takes long, as seen on two cores; the first takes longest. */
const LONGEST = [
  "test/local/start/npm-start",
  "test/integration/traffic/",
  "test/local/start/restart",
  "test/runtime/",
  "test/local/serve/",
  "test/local/",
  "test/scripts/run-files",
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
