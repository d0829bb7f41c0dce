/**
 * For images: takes the dependencies out of package.json that no file in dist/ imports, so that `npm prune` removes them.
 * The operator and the runtime share one package.json, but hardly a dependency.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const code = globSync("dist/**/*.js").map((file) => readFileSync(file, "utf8"));
if (code.length === 0) throw new Error("there is no JavaScript in dist/: run `npm run build` first");

for (const name of Object.keys(manifest.dependencies)) {
  const imported = new RegExp(`(from|import|import\\(|require\\()\\s*["']${name}(/[^"']*)?["']`, "u");
  if (!code.some((text) => imported.test(text))) delete manifest.dependencies[name];
}
writeFileSync("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
console.log(`kept: ${Object.keys(manifest.dependencies).join(", ")}`);
