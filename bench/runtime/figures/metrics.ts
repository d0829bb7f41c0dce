import { requireSamePredictions } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import type { Target } from "../load/http.ts";
import { median } from "../load/measured.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import { startRuntime, startRuntimeWithoutMetrics } from "../servers.ts";
import { CONNECTIONS, LOAN, predictTarget } from "../workloads.ts";

/** Two processes of the same program differ by more than metrics cost, so that several of each are compared. */
const PAIRS = 3;

export const METRICS_FIGURE: Figure = {
  id: "metrics",
  name: "cost of metrics, scraped once a round, in requests/s of /predict",
  goal: { atMost: 5, unit: "%" },
  seconds: (plan) => PAIRS * ratioSeconds(plan),
  measure: cost,
};

/** Per cent of the rate without them. */
async function cost(plan: Plan): Promise<number> {
  const shares: number[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) shares.push(await shareOfRate(plan));
  return 100 * (1 - median(shares));
}

async function shareOfRate(plan: Plan): Promise<number> {
  await using counting = await startRuntime(LOAN);
  await using silent = await startRuntimeWithoutMetrics(LOAN);
  const [on, off] = [counting, silent].map(({ port }) => predictTarget(port)) as [Target, Target];
  await requireSamePredictions(on, off);
  const rate = (target: Target, seconds: number) => measureHttp(target, CONNECTIONS, seconds);
  return await ratio(
    plan,
    rateOf(plan, "with metrics", counting, async (seconds) => {
      const [measured] = await Promise.all([rate(on, seconds), scrape(on.port)]);
      return measured;
    }),
    rateOf(plan, "without", silent, (seconds) => rate(off, seconds)),
  );
}

async function scrape(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (!(await response.text()).includes("ml_prediction_latency_seconds_count")) {
    throw new Error("/metrics does not say how many predictions there were");
  }
}
