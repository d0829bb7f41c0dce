import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The folder of programs of an environment with exactly these requirements, made below ~/.cache when it is asked for
 * first. Rejects with what pip said when it cannot be made.
 */
export async function pythonWith(requirements: string): Promise<string> {
  const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const name = basename(dirname(requirements));
  const folder = join(homedir(), ".cache/slipway", `bench-${name}-${digest}`);
  const programs = join(folder, "bin");
  const complete = join(folder, "complete");
  if (existsSync(complete)) return programs;
  console.log(`  making the Python environment of ${name}, once`);
  rmSync(folder, { recursive: true, force: true });
  await run(await usablePython(), ["-m", "venv", folder]);
  await install(programs, requirements);
  writeFileSync(complete, "");
  return programs;
}

async function install(programs: string, requirements: string): Promise<void> {
  const options = ["--quiet", "--disable-pip-version-check"];
  try {
    await run(join(programs, "python"), ["-m", "pip", "install", ...options, "-r", requirements]);
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trimEnd().split("\n").at(-1) ?? (cause as Error).message;
    throw new Error(`installing ${requirements}: ${said}; pip must reach a package index`, { cause });
  }
}

/** The pinned packages are those that Python 3.11 takes; newer ones mostly do. */
async function usablePython(): Promise<string> {
  for (const name of ["python3.11", "python3"]) {
    const found = await run(name, ["-c", "import sys; assert sys.version_info >= (3, 11)"]).catch(() => undefined);
    if (found) return name;
  }
  throw new Error("there is no Python 3.11 or newer: install one, with its venv module");
}
