import { requireSameOutputs } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import { rawRuns, startRuntime } from "../servers.ts";
import { CONNECTIONS, MLP, inferTarget, mlpRequest } from "../workloads.ts";

/** A model whose rows cost much less together than each by itself. */
export const PERCEPTRON_FIGURES: readonly Figure[] = [
  {
    id: "mlp",
    name: "MLP v2 infer, 64 connections, batching on against off",
    goal: { atLeast: 2.3 },
    seconds: ratioSeconds,
    measure: batching,
  },
  {
    id: "mlp-raw",
    name: "MLP v2 infer, 64 connections, against raw session.run",
    goal: { atLeast: 1 },
    seconds: ratioSeconds,
    measure: againstRawRuns,
  },
];

async function batching(plan: Plan): Promise<number> {
  await using batched = await startRuntime(MLP);
  await using single = await startRuntime(MLP, { BATCH_MAX_SIZE: "1" });
  const on = inferTarget(batched.port, mlpRequest());
  const off = inferTarget(single.port, mlpRequest());
  await requireSameOutputs(on, off);
  return await ratio(
    plan,
    rateOf(plan, "batching on", batched, (seconds) => measureHttp(on, CONNECTIONS, seconds)),
    rateOf(plan, "batching off", single, (seconds) => measureHttp(off, CONNECTIONS, seconds)),
  );
}

async function againstRawRuns(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(MLP);
  const target = inferTarget(runtime.port, mlpRequest());
  const ours = rateOf(plan, "ours", runtime, (seconds) => measureHttp(target, CONNECTIONS, seconds));
  return await ratio(plan, ours, { name: "raw runs a second", measure: () => rawRuns(MLP, plan.seconds) });
}
