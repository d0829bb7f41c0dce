import { ratio } from "../plan.ts";
import type { Figure, Plan, Sample } from "../plan.ts";
import { outputOf } from "../server-process.ts";
import { startRuntime } from "../servers.ts";
import { LOAN } from "../workloads.ts";

export const START_FIGURE: Figure = {
  id: "start",
  name: "start to ready with the loan model, against node -e ''",
  goal: { atMost: 2.5 },
  seconds: ({ rounds }) => rounds + 2,
  measure: againstBareNode,
};

async function againstBareNode(plan: Plan): Promise<number> {
  return await ratio(
    plan,
    { name: "ours, start to ready in ms", measure: startToReady },
    { name: "node -e '', in ms", measure: bareNode },
  );
}

async function startToReady(): Promise<Sample> {
  const began = performance.now();
  await using _ = await startRuntime(LOAN);
  return { value: performance.now() - began };
}

async function bareNode(): Promise<Sample> {
  const began = performance.now();
  await outputOf(process.execPath, "-e", "");
  return { value: performance.now() - began };
}
