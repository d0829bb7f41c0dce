/**
 * Says what the runtime makes of a model before anything serves it: `npm run check -- FOLDER_OR_URI`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";

import { ConfigError, processEnvironment, readConfig } from "../config.ts";
import type { Config } from "../config.ts";
import { checkGolden } from "../golden/check-golden.ts";
import { LoadError } from "../load-error.ts";
import { conversionOf, conversionOfContent } from "../model/foreign-formats.ts";
import { openModel } from "../model/model.ts";
import { createLogger } from "../observability/logger.ts";
import { fetchArtifact } from "../source/artifact.ts";
import type { Artifact } from "../source/artifact.ts";
import { listFiles } from "../source/file-tree.ts";
import { report } from "./report.ts";

const USAGE = `usage: npm run check -- FOLDER_OR_URI

Loads a model as the runtime does, asks it all rows of its golden.json, and prints what it found, or why it cannot be
served. FOLDER_OR_URI is a folder, an .onnx file or archive, or any address that MODEL_URI takes, with the same
environment (MODEL_SHA256, credentials, …: node runtime/main.ts --help).

Exit codes: 0 it can be served; 1 it cannot; 2 wrong usage.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: false,
  });
  if (values["help"] === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [uri] = positionals;
  if (uri === undefined || positionals.length > 1 || Object.keys(values).length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const environment = processEnvironment();
    // npm runs scripts in the project's folder and says in INIT_CWD where the user is.
    process.chdir(environment["INIT_CWD"] ?? ".");
    process.stdout.write(await check(readConfig({ ...environment, MODEL_PATH: undefined, MODEL_URI: uri })));
    return 0;
  } catch (error) {
    if (!(error instanceof LoadError || error instanceof ConfigError)) throw error;
    process.stderr.write(`${error instanceof LoadError ? error.reason : "InvalidConfiguration"}: ${error.message}\n`);
    return 1;
  }
}

async function check(config: Config): Promise<string> {
  const artifact = await fetchArtifact(config, createLogger("error"), new AbortController().signal);
  const model = await openModel(artifact, config.intraOpThreads);
  try {
    const { golden } = model;
    const options = { maxRows: Number.POSITIVE_INFINITY, batchRows: config.batchMaxSize, source: artifact.uri };
    const goldenRows = golden && (await checkGolden(model, golden, options));
    return report({ model, artifact, goldenRows, unused: await unusedFiles(artifact) });
  } finally {
    await model.pipeline.close();
  }
}

/** Such as a preprocessor.pkl, of which people may think that it is applied. */
async function unusedFiles({ folder, file, uri }: Artifact): Promise<string[]> {
  if (file !== undefined) return [];
  const files = await listFiles(folder, uri, Number.POSITIVE_INFINITY);
  return files
    .map(({ path }) => path)
    .filter((path) => (conversionOfContent(join(folder, path)) ?? conversionOf(path)) !== undefined);
}

process.exitCode = await main();
