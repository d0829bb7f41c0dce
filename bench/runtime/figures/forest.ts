import { requireSameOutputs } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import { median } from "../load/measured.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan, Sample, Side } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { rawRuns, startBareForest, startBareSocket, startNaiveExpress, startRuntime } from "../servers.ts";
import { CONNECTIONS, FOREST, forestRequest, inferTarget } from "../workloads.ts";

/** A third server is measured beside the two. */
const withAnother = (plan: Plan): number => 1.5 * ratioSeconds(plan);

/** The forest against what one writes first, and against the model alone. */
export const FOREST_FIGURES: readonly Figure[] = [
  {
    id: "forest",
    name: "forest v2 infer, 64 connections, against naive Express",
    goal: { atLeast: 8 },
    seconds: withAnother,
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
    seconds: withAnother,
    measure: latency,
  },
];

async function againstExpress(plan: Plan): Promise<number> {
  await using servers = await bothServers();
  await using bare = await startBareForest(FOREST);
  await requireSameOutputs(inferTarget(bare.port, forestRequest()), inferTarget(servers.naive.port, forestRequest()));
  const rate = (server: ServerProcess, name: string): Side => {
    const target = inferTarget(server.port, forestRequest());
    return rateOf(plan, name, server, (seconds) => measureHttp(target, CONNECTIONS, seconds));
  };
  const ours = rate(servers.ours, "ours");
  const naive = rate(servers.naive, "naive Express");
  const most = rate(bare, "a server that knows only this request, checks and counts nothing");
  const bounds: number[] = [];
  const naiveBesideMost = async (): Promise<Sample> => {
    const [best, sample] = [await most.measure(), await naive.measure()];
    bounds.push(best.value / sample.value);
    return sample;
  };
  const value = await ratio(plan, ours, { ...naive, measure: naiveBesideMost });
  plan.note(`${most.name}: ${median(bounds.slice(-plan.rounds)).toPrecision(3)} times naive Express`);
  return value;
}

async function againstRawRuns(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(FOREST);
  const target = inferTarget(runtime.port, forestRequest());
  const ours = rateOf(plan, "ours", runtime, (seconds) => measureHttp(target, CONNECTIONS, seconds));
  return await ratio(plan, ours, { name: "raw runs a second", measure: () => rawRuns(FOREST, plan.seconds) });
}

async function latency(plan: Plan): Promise<number> {
  await using servers = await bothServers();
  await using socket = await startBareSocket();
  const p50 = async (server: ServerProcess): Promise<Sample> => {
    const cpu = server.cpuSeconds();
    const { p50: value, answers } = await measureHttp(inferTarget(server.port, forestRequest()), 1, plan.seconds);
    return { value, perCpuSecond: answers / (server.cpuSeconds() - cpu) };
  };
  const floors: number[] = [];
  const ours = async (): Promise<Sample> => {
    floors.push((await p50(socket)).value);
    return p50(servers.ours);
  };
  const value = await ratio(
    plan,
    { name: "ours, p50 in ms", measure: ours },
    { name: "naive Express, p50 in ms", measure: () => p50(servers.naive) },
  );
  plan.note(`a socket that answers at once, p50 in ms: ${median(floors).toPrecision(3)}`);
  return value;
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
