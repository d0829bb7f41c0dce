import { requireSameOutputs } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { rawRuns, startNaiveExpress, startRuntime } from "../servers.ts";
import { CONNECTIONS, FOREST, forestRequest, inferTarget } from "../workloads.ts";

/** The forest against what one writes first, and against the model alone. */
export const FOREST_FIGURES: readonly Figure[] = [
  {
    id: "forest",
    name: "forest v2 infer, 64 connections, against naive Express",
    goal: { atLeast: 8 },
    seconds: ratioSeconds,
    measure: againstExpress,
  },
  {
    id: "forest-raw",
    name: "forest v2 infer, 64 connections, against raw session.run",
    goal: { atLeast: 0.6 },
    seconds: ratioSeconds,
    measure: againstRawRuns,
  },
  {
    id: "forest-latency",
    name: "forest v2 infer, 1 connection, p50 against naive Express",
    goal: { atMost: 0.65 },
    seconds: ratioSeconds,
    measure: latency,
  },
];

async function againstExpress(plan: Plan): Promise<number> {
  await using servers = await bothServers();
  const rate = (server: ServerProcess, name: string) => {
    const target = inferTarget(server.port, forestRequest());
    return rateOf(plan, name, server, (seconds) => measureHttp(target, CONNECTIONS, seconds));
  };
  return await ratio(plan, rate(servers.ours, "ours"), rate(servers.naive, "naive Express"));
}

async function againstRawRuns(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(FOREST);
  const target = inferTarget(runtime.port, forestRequest());
  const ours = rateOf(plan, "ours", runtime, (seconds) => measureHttp(target, CONNECTIONS, seconds));
  return await ratio(plan, ours, { name: "raw runs a second", measure: () => rawRuns(FOREST, plan.seconds) });
}

async function latency(plan: Plan): Promise<number> {
  await using servers = await bothServers();
  const p50 = (server: ServerProcess, name: string) => ({
    name: `${name}, p50 in ms`,
    measure: async () => ({
      value: (await measureHttp(inferTarget(server.port, forestRequest()), 1, plan.seconds)).p50,
    }),
  });
  return await ratio(plan, p50(servers.ours, "ours"), p50(servers.naive, "naive Express"));
}

interface Both extends AsyncDisposable {
  readonly ours: ServerProcess;
  readonly naive: ServerProcess;
}

async function bothServers(): Promise<Both> {
  await using stack = new AsyncDisposableStack();
  const ours = stack.use(await startRuntime(FOREST));
  const naive = stack.use(await startNaiveExpress(FOREST));
  const body = forestRequest();
  await requireSameOutputs(inferTarget(ours.port, body), inferTarget(naive.port, body));
  const owned = stack.move();
  return { ours, naive, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
