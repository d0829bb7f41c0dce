import { requireSamePredictions } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import { median } from "../load/measured.ts";
import { ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan, Side } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { startRuntime, startRuntimeWithoutMetrics } from "../servers.ts";
import { CONNECTIONS, LOAN, predictTarget } from "../workloads.ts";

/** Two processes of the same program differ by more than metrics cost, so that several of each are compared. */
const PAIRS = 3;

export const METRICS_FIGURE: Figure = {
  id: "metrics",
  name: "cost of metrics, scraped once a round, in processor time of /predict",
  goal: { atMost: 5, unit: "%" },
  seconds: (plan) => PAIRS * ratioSeconds(plan),
  measure: cost,
};

/** Per cent of the time without them. */
async function cost(plan: Plan): Promise<number> {
  const ratios: number[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) ratios.push(await timeRatio(plan));
  return 100 * (median(ratios) - 1);
}

async function timeRatio(plan: Plan): Promise<number> {
  await using counting = await startRuntime(LOAN);
  await using silent = await startRuntimeWithoutMetrics(LOAN);
  await requireSamePredictions(predictTarget(counting.port), predictTarget(silent.port));
  return await ratio(plan, timeOf(plan, "with metrics", counting), timeOf(plan, "without", silent));
}

/** Other than the rate, the processor time of an answer does not depend on what else the machine does. */
function timeOf({ seconds }: Plan, name: string, server: ServerProcess): Side {
  return {
    name: `${name}, microseconds an answer`,
    async measure() {
      const began = server.cpuSeconds();
      const { answers } = await measureHttp(predictTarget(server.port), CONNECTIONS, seconds);
      await scrape(server.port);
      return { value: (1e6 * (server.cpuSeconds() - began)) / answers };
    },
  };
}

async function scrape(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  await response.arrayBuffer();
}
