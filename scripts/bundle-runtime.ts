/**
 * Bundles runtime/ into a few files of JavaScript, as the image has it: `npm run bundle -- [FOLDER]`, dist/runtime by default.
 * Finding and reading a library's hundreds of files would take longer than all else at the start.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { Command } from "commander";
import { build } from "esbuild";
import type { BuildOptions, Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const { args } = new Command("npm run bundle --")
  .description("Bundles runtime/ into a few files of JavaScript, as its image has it.")
  .argument("[folder]", "where to; by default dist/runtime")
  .parse();
const folder = resolve(args[0] ?? join(root, "dist/runtime"));

/** Libraries with native code or files of their own, and those that few need. */
const EXTERNAL = ["onnxruntime-node", "@grpc/grpc-js", "@aws-sdk/*", "@azure/*", "@google-cloud/*"];

/**
 * An import of one of Node's modules reads all that the module has: of node:http its WebSocket, which loads an HTTP client
 * that we do not need. One of a CommonJS library first parses it for its names. What is required is only taken.
 */
const REQUIRE_WHAT_IS_USED: Plugin = {
  name: "require-what-is-used",
  setup(bundling) {
    const imports = /^import (\w+|\{[^}]*\}) from ("(?:node:|onnxruntime-node["/])[^;]*);$/gm;
    bundling.onLoad({ filter: /runtime\/.*\.ts$/ }, async ({ path }) => ({
      loader: "ts",
      contents: (await readFile(path, "utf8")).replaceAll(
        imports,
        (_, names: string, module: string) => `const ${names.replaceAll(" as ", ": ")} = require(${module});`,
      ),
    }));
  },
};

const common: BuildOptions = {
  absWorkingDir: root,
  outdir: folder,
  entryNames: "[name]", // worker-pipeline.ts looks for the worker's file beside its own
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node26",
  external: EXTERNAL,
  plugins: [REQUIRE_WHAT_IS_USED],
  // Libraries that are CommonJS require Node's modules.
  banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
  logLevel: "warning",
};

/** What is loaded later stays apart. */
await build({ ...common, entryPoints: ["runtime/main.ts"], splitting: true });
/** A thread has modules of its own: to share files with it would only make more of them. */
await build({ ...common, entryPoints: ["runtime/execution/inference-worker.ts"] });
