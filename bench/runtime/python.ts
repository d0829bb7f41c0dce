import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The interpreter of an environment with exactly these requirements, made below ~/.cache when it is asked for first. */
export async function pythonWith(requirements: string): Promise<string> {
  const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(homedir(), ".cache/slipway", `bench-${digest}`);
  const python = join(folder, "bin/python");
  const complete = join(folder, "complete");
  if (existsSync(complete)) return python;
  rmSync(folder, { recursive: true, force: true });
  await run("python3.11", ["-m", "venv", folder]);
  await run(python, ["-m", "pip", "install", "--quiet", "-r", requirements]);
  await run("touch", [complete]);
  return python;
}
