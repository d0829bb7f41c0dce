/** `npm run bench` lists the benchmarks, `npm run bench -- NAME [options]` runs one: the `main.ts` of that folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";

const names = globSync("*/main.ts", { cwd: import.meta.dirname })
  .map(dirname)
  .toSorted();
const [name, ...options] = process.argv.slice(2);

if (name === undefined) {
  console.log("npm run bench -- NAME [--quick: for a look, not for a claim] [--json: ends with a line of JSON]");
  for (const each of names) console.log(`  ${each}`);
} else if (names.includes(name)) {
  const child = spawn(process.execPath, [join(import.meta.dirname, name, "main.ts"), ...options], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
} else {
  console.error(`there is no benchmark ${name}; there are: ${names.join(", ")}`);
  process.exitCode = 1;
}
