/**
 * Bundles operator/ into a few files of JavaScript, as the image has it: `node scripts/bundle-operator.ts [FOLDER]`, dist/operator
 * by default. Of the Kubernetes client only its credentials are needed: the rest of it would take a third of the operator's memory.
 */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const { args } = new Command("node scripts/bundle-operator.ts")
  .description("Bundles operator/ into a few files of JavaScript, as its image has it.")
  .argument("[folder]", "where to; by default dist/operator")
  .parse();

await build({
  absWorkingDir: root,
  entryPoints: ["operator/main.ts", "operator/cli/main.ts"],
  outbase: "operator",
  outdir: resolve(args[0] ?? join(root, "dist/operator")),
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  // Libraries that are CommonJS require Node's modules.
  banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
  logLevel: "warning",
});
