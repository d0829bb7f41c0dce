/** `npm run bench` lists the benchmarks, `npm run bench -- NAME` runs one. Each prints ratios to a peer of the same run. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.slice(0, -".bench.ts".length));

const program = new Command("npm run bench --")
  .description(`Runs a benchmark: ${names.join(", ")}.`)
  .argument("[name]", "which one")
  .option("--quick", "shorter rounds: for a look, not for a claim", false)
  .option("--json", "end with one line of JSON: {figures: [{name, value, goal, ok}]}", false)
  .parse();

const [name = ""] = program.args;
const { quick, json } = program.opts<{ quick: boolean; json: boolean }>();
if (name === "") program.help();
if (!names.includes(name)) program.error(`there is no benchmark ${name}; there are: ${names.join(", ")}`);

const benchmark = (await import(join(import.meta.dirname, `${name}.bench.ts`))) as Benchmark;
const figures = await benchmark.run({ quick, print: (line) => console.log(line) });
if (json) console.log(JSON.stringify({ figures }));

interface Benchmark {
  run(options: { quick: boolean; print: (line: string) => void }): Promise<readonly Figure[]>;
}

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly goal: string;
  readonly ok: boolean;
}
