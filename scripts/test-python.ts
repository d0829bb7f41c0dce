/**
 * Checks the Python package with its own tools (ruff, mypy, pytest) and prints `N passed, N failed` last: `npm run test:python`.
 * Arguments go to pytest. Its environment of pinned packages, with every framework, takes 7 GB and some minutes once.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "python");
const requirements = join(root, "requirements-test.txt");

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const environment = await pythonEnvironment();
const bin = (name: string): string => join(environment, "bin", name);
const counts: readonly Counts[] = [
  await checked(bin("ruff"), ["check", "."]),
  await checked(bin("ruff"), ["format", "--check", "."]),
  await checked(bin("mypy"), []),
  await tested(process.argv.slice(2)),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Its folder in the user's cache, kept while the requirements stay the same. */
async function pythonEnvironment(): Promise<string> {
  const hash = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "slipway", `python-${hash}`);
  const mark = join(folder, "complete");
  if (existsSync(mark)) return folder;
  console.log(`installing ${requirements} into ${folder} …`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await required("python3", ["-m", "venv", folder]);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", requirements];
  await required(join(folder, "bin", "python"), install);
  await writeFile(mark, "");
  return folder;
}

async function required(command: string, args: readonly string[]): Promise<void> {
  const code = await exitCode(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}; Python 3.11 or newer is needed`);
}

async function checked(command: string, args: readonly string[]): Promise<Counts> {
  const isGood = (await exitCode(command, args)) === 0;
  return { passed: Number(isGood), failed: Number(!isGood) };
}

async function tested(args: readonly string[]): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-python-"));
  const report = join(folder, "results.xml");
  try {
    const code = await exitCode(bin("python"), [
      "-m",
      "pytest",
      `--junitxml=${report}`,
      ...(args.length > 0 ? args : ["--quiet"]),
    ]);
    const results = existsSync(report) ? await readFile(report, "utf8") : "";
    const count = (name: string): number =>
      [...results.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, "g"))].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    const wrong = count("failures") + count("errors");
    const right = count("tests") - wrong - count("skipped");
    return { passed: right, failed: Math.max(wrong, Number(code !== 0 || right === 0)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function exitCode(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    spawn(command, args, { cwd: root, stdio: "inherit" })
      .on("error", reject)
      .on("close", (code) => resolve(code ?? 1));
  });
}
