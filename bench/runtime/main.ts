/** `npm run bench:runtime -- [--quick] [--json]`: the runtime's speed as ratios, server and load on a core each. */
import { parseArgs } from "node:util";

import { FIGURES } from "./figures.ts";
import type { Figure, Plan } from "./figures.ts";
import { pinLoad } from "./server-process.ts";

const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});
const plan: Plan = {
  rounds: values.quick ? 3 : 7,
  seconds: values.quick ? 1 : 4,
  note: (text) => console.log(text),
};

await pinLoad();
const figures: Figure[] = [];
for (const measureFigures of FIGURES) figures.push(...(await measureFigures(plan)));
console.log("");
for (const { name, value, goal, ok } of figures) {
  console.log(`${ok ? "✓" : "✗"} ${name}: ${value.toPrecision(3)} (${goal})`);
}
if (values.json) console.log(JSON.stringify({ figures }));
