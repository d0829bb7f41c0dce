/**
 * Bundles runtime/ into a few files of JavaScript, as the image has it: `npm run bundle -- [FOLDER]`, dist/runtime by default.
 * Finding and reading a library's hundreds of files would take longer than all else at the start.
 */
import { join, resolve } from "node:path";

import { build } from "esbuild";
import type { Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const folder = resolve(process.argv[2] ?? join(root, "dist/runtime"));

/** Libraries with native code or files of their own, and those that few need. */
const EXTERNAL = ["onnxruntime-node", "@grpc/grpc-js", "@aws-sdk/*", "@azure/*", "@google-cloud/*"];

/**
 * An import of a CommonJS library first parses it for its names, and one of node:http reads all that the module has, its
 * WebSocket among it, which loads an HTTP client that we do not need. Taken this way, only what is used is read.
 */
const ONLY_WHAT_IS_USED: Plugin = {
  name: "only-what-is-used",
  setup(bundling) {
    const namespace = "only-what-is-used";
    bundling.onResolve({ filter: /^(?:node:.*|onnxruntime-node)$/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace } : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `module.exports = require("${path}");`,
    }));
  },
};

await build({
  absWorkingDir: root,
  entryPoints: ["runtime/main.ts", "runtime/execution/inference-worker.ts"],
  outdir: folder,
  entryNames: "[name]", // worker-pipeline.ts looks for the worker's file beside its own
  bundle: true,
  splitting: true, // what is loaded later stays apart
  format: "esm",
  platform: "node",
  target: "node26",
  external: EXTERNAL,
  plugins: [ONLY_WHAT_IS_USED],
  // Libraries that are CommonJS require Node's modules.
  banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
  logLevel: "warning",
});
