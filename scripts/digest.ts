/**
 * Prints the SHA-256 by which a ModelDeployment pins a model: of a folder, or of a single file.
 * `npm run digest -- FOLDER`
 */
import { stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { fileDigest, folderDigest, listFiles } from "../runtime/source/file-tree.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const [path] = positionals;

if (path === undefined || positionals.length > 1) {
  console.error("usage: npm run digest -- FOLDER (or a file: an archive, a .onnx)");
  process.exitCode = 2;
} else {
  console.log(`${await digestOf(path)}  ${path}`);
}

async function digestOf(place: string): Promise<string> {
  const stats = await stat(place);
  if (!stats.isDirectory()) return fileDigest(place);
  const files = await listFiles(place, place, Number.POSITIVE_INFINITY);
  if (files.length === 0) throw new Error(`${place} has no files`);
  return folderDigest(place, files);
}
