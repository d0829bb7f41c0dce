/** Prints the SHA-256 by which a ModelDeployment pins a model: `npm run digest -- FOLDER`. */
import { stat } from "node:fs/promises";
import { Command } from "commander";
import { fileDigest, folderDigest, listFiles } from "../runtime/source/file-tree.ts";

const command = new Command("npm run digest --")
  .description("Prints the SHA-256 that pins a model, as `source.sha256` of a ModelDeployment.")
  .argument("<path>", "a model's folder, or a single file: a .onnx, an archive")
  .parse();
const [path = ""] = command.args;

// npm runs scripts in the project's folder and says in INIT_CWD where the user is.
process.chdir(process.env["INIT_CWD"] ?? ".");
console.log(`${await digestOf(path)}  ${path}`);

async function digestOf(place: string): Promise<string> {
  const stats = await stat(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return command.error(`${place} is not there: give a model's folder or file`);
    throw error;
  });
  if (!stats.isDirectory()) return fileDigest(place);
  const files = await listFiles(place, place, Number.POSITIVE_INFINITY);
  if (files.length === 0) command.error(`${place} has no files: give a model's folder or file`);
  return folderDigest(place, files);
}
