// Runs on any Node from 20 on, before anything is installed: no dependency, no TypeScript.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));

/** npm writes this file last: it is missing after an install that was cut short. */
const installed = modifiedAt("node_modules/.package-lock.json");
if (installed === undefined || installed < (modifiedAt("package-lock.json") ?? 0)) {
  console.log("Installing what Slipway needs into node_modules (npm ci) …");
  const { status, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: project,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error(`npm ci failed${error ? `: ${error.message}` : ""}; what it says above must be put right first.`);
    process.exit(1);
  }
}

/** @param {string} path */
function modifiedAt(path) {
  return statSync(`${project}/${path}`, { throwIfNoEntry: false })?.mtimeMs;
}
