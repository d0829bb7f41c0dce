/**
 * Runs every check of the sources, all of them even when one fails. `npm run lint -- types knip` runs only these.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Command } from "commander";

const root = join(import.meta.dirname, "..");

interface Check {
  readonly name: string;
  readonly finds: string;
  readonly command: readonly [string, ...string[]];
}

const CHECKS: readonly Check[] = [
  { name: "types", finds: "type errors", command: [bin("tsc"), "--noEmit", "-p", "tsconfig.json"] },
  { name: "lint", finds: "likely bugs, with type information", command: [bin("oxlint"), "--type-aware", "."] },
  { name: "format", finds: "files that `npm run format` would change", command: [bin("oxfmt"), "--check", "."] },
  { name: "imports", finds: "imports across a boundary", command: [process.execPath, script("import-boundaries.ts")] },
  { name: "sources", finds: "text that must not be in sources", command: [process.execPath, script("source-text.ts")] },
  { name: "knip", finds: "dead exports, unused packages", command: [bin("knip"), "--no-progress"] },
  {
    name: "generated",
    finds: "generated files out of date",
    command: [process.execPath, "scripts/generate.ts", "--check"],
  },
];

const command = new Command("npm run lint --")
  .description("Checks the sources.")
  .argument("[check...]", CHECKS.map(({ name, finds }) => `${name}: ${finds}`).join("; "))
  .parse();
const wanted = command.args;
const names = CHECKS.map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) command.error(`there is no check ${unknown.join(", ")}: give some of ${names.join(", ")}`);

const checks = CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
let failed = 0;
for (const check of checks) {
  const started = performance.now();
  const { ok, output } = await run(check.command);
  if (!ok) {
    failed += 1;
    process.stdout.write(`\n${output.trimEnd()}\n`);
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`${ok ? "✓" : "✗"} ${check.name.padEnd(9)} ${ok ? "ok" : "failed"} (${seconds} s)`);
}
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function run([program, ...args]: Check["command"]): Promise<{ ok: boolean; output: string }> {
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  return { ok: code === 0, output };
}

function bin(name: string): string {
  return join(root, "node_modules/.bin", name);
}

function script(name: string): string {
  return join("scripts/linting", name);
}
