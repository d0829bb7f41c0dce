/** `npm run bench:runtime -- --help`: the runtime's speed as ratios, server and load on a core each. */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";

import { goalText, isReached, shown } from "../report.ts";
import type { Result } from "../report.ts";
import { figures } from "./figures.ts";
import type { Figure, Plan } from "./plan.ts";
import { pinLoad } from "./server-process.ts";

const OPTIONS = {
  quick: { type: "boolean" },
  json: { type: "boolean" },
  memory: { type: "boolean" },
  only: { type: "string", multiple: true },
  help: { type: "boolean", short: "h" },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  const plan: Plan = {
    rounds: values.quick ? 3 : 7,
    seconds: values.quick ? 1 : 4,
    memorySeconds: values.memory ? [60, 600] : [20, 60],
    note: (text) => console.log(`  ${text}`),
  };
  const all = figures(plan);
  if (values.help) {
    console.log(usage(all));
    return 0;
  }
  const only = (values.only ?? []).flatMap((ids) => ids.split(","));
  const unknown = only.filter((id) => all.every((figure) => figure.id !== id));
  if (unknown.length > 0) {
    console.error(`there is no figure ${unknown.join(", ")}; there are: ${all.map(({ id }) => id).join(", ")}`);
    return 2;
  }
  await pinLoad();
  const chosen = all.filter(({ id }) => only.length === 0 || only.includes(id));
  const seconds = chosen.reduce((sum, figure) => sum + figure.seconds(plan), 0);
  const minutes = Math.ceil(seconds / 60);
  console.log(`${chosen.length} figures, about ${minutes} min, longer where a Python environment must be made`);
  console.log(`the machine's load before: ${loadavg()[0]?.toFixed(1)}; it should be near 0`);
  const results: Result[] = [];
  for (const [index, figure] of chosen.entries()) {
    console.log(`${index + 1}/${chosen.length} ${figure.name}`);
    const result = await resultOf(figure, plan);
    results.push(result);
    console.log(shown(result));
  }
  console.log(`\n${results.map(shown).join("\n")}`);
  if (values.json) console.log(JSON.stringify({ figures: results }));
  return results.every(({ error }) => error === undefined) ? 0 : 1;
}

/** One that cannot be measured, for want of a package perhaps, must not cost the others. */
async function resultOf(figure: Figure, plan: Plan): Promise<Result> {
  const { name } = figure;
  const goal = goalText(figure.goal);
  try {
    const value = await figure.measure(plan);
    return { name, value, goal, ok: isReached(value, figure.goal) };
  } catch (error) {
    return { name, value: null, goal, ok: false, error: (error as Error).message };
  }
}

function usage(all: readonly Figure[]): string {
  return `npm run bench:runtime -- [options]

  --quick      three rounds of one second for each figure instead of seven of four: for a look, not for a claim
  --json       the last line is {"figures":[{"name","value","goal","ok"}]}
  --only ID    only this figure; may be repeated, or several with commas between
  --memory     memory after ten minutes against after one, instead of after one against after twenty seconds

It needs Linux with two cores and taskset, both for itself alone, and for the Python peers Python 3.11 or newer with venv
and a package index: each gets an environment of its own below ~/.cache/slipway.

Figures:
${all.map(({ id, name, goal }) => `  ${id.padEnd(16)}${name} (${goalText(goal)})`).join("\n")}`;
}

// So that what it started ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
process.exitCode = await main();
