import { ratio } from "../plan.ts";
import type { Figure, Plan, Sample } from "../plan.ts";
import { outputOf } from "../server-process.ts";
import { loadModel, startRuntime } from "../servers.ts";
import { LOAN } from "../workloads.ts";

export const START_FIGURE: Figure = {
  id: "start",
  name: "start to ready with the loan model, without the model's own load, against node -e ''",
  goal: { atMost: 2.5 },
  seconds: ({ rounds }) => rounds + 4,
  measure: againstBareNode,
};

/** As in the image: on all addresses. That of an IPv4 address alone first has Node compile what it knows IPv6 ones by. */
const EVERYWHERE = { HOST: "" };

/** As the image has it: bundled, and compiled by the starts that warm up. */
async function againstBareNode(plan: Plan): Promise<number> {
  await outputOf([process.execPath, "scripts/bundle-runtime.ts", "dist/runtime"]);
  return await ratio(
    plan,
    { name: "ours, start to ready without the model's load, in ms", measure: startWithoutLoad },
    { name: "node -e '', in ms", measure: () => timeOf(bareNode) },
  );
}

/** A process that only loads the model starts Node too. */
async function startWithoutLoad(): Promise<Sample> {
  const began = performance.now();
  await using _ = await startRuntime(LOAN, EVERYWHERE, "dist/runtime/main.js");
  const start = performance.now() - began;
  const load = await timeOf(() => loadModel(LOAN));
  const bare = await timeOf(bareNode);
  return { value: start - load.value + bare.value };
}

const bareNode = (): Promise<string> => outputOf([process.execPath, "-e", ""]);

async function timeOf(work: () => Promise<unknown>): Promise<Sample> {
  const began = performance.now();
  await work();
  return { value: performance.now() - began };
}
