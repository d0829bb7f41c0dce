import { measure } from "./load.ts";
import type { Target } from "./load.ts";
import { pythonWith } from "./python.ts";
import { ServerProcess, lifetime, rawRuns, startRuntime, startServer } from "./server-process.ts";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly goal: string;
  readonly ok: boolean;
}

export interface Plan {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly note: (text: string) => void;
}

const FOREST = "bench/runtime/models/forest.onnx";
const LOAN = "examples/loan/2.0.0";
const MLP = "bench/runtime/models/mlp.onnx";
const INFER = "/v2/models/model/infer";
const CONNECTIONS = 64;
/** Until both are compiled to machine code. */
const WARM_UP_TURNS = 2;

const tensor = (name: string, width: number): string =>
  JSON.stringify({ inputs: [{ name, shape: [1, width], datatype: "FP32", data: Array<number>(width).fill(0.5) }] });

/** All figures, one after the other. */
export const FIGURES: readonly ((plan: Plan) => Promise<Figure[]>)[] = [
  forest,
  perceptron,
  namedFields,
  fastApi,
  startTime,
];

async function forest(plan: Plan): Promise<Figure[]> {
  await using ours = await startRuntime(FOREST);
  await using naive = await startServer("naive-express", FOREST);
  const body = tensor("features", 16);
  const [fast, slow] = [ours, naive].map(({ port }): Target => ({ port, path: INFER, body })) as [Target, Target];
  await requireSameAnswers(fast, slow);
  const many = await ratios(plan, "forest, 64 connections: ours / naive Express", [
    async () => (await measure(fast, CONNECTIONS, plan.seconds)).rate,
    async () => (await measure(slow, CONNECTIONS, plan.seconds)).rate,
  ]);
  const raw = await ratios(plan, "forest, 64 connections: ours / raw runs of one row", [
    async () => (await measure(fast, CONNECTIONS, plan.seconds)).rate,
    () => rawRuns(FOREST, plan.seconds),
  ]);
  const single = await ratios(plan, "forest, 1 connection, p50 ms: ours / naive Express", [
    async () => (await measure(fast, 1, plan.seconds)).p50,
    async () => (await measure(slow, 1, plan.seconds)).p50,
  ]);
  return [
    atLeast("forest v2 infer, 64 connections, against naive Express", many, 8),
    atLeast("forest v2 infer, 64 connections, against raw session.run", raw, 0.6),
    atMost("forest v2 infer, 1 connection, p50 against naive Express", single, 0.65),
  ];
}

async function perceptron(plan: Plan): Promise<Figure[]> {
  await using batching = await startRuntime(MLP);
  await using single = await startRuntime(MLP, { BATCH_MAX_SIZE: "1" });
  const body = tensor("x", 64);
  const [on, off] = [batching, single].map(({ port }): Target => ({ port, path: INFER, body })) as [Target, Target];
  await requireSameAnswers(on, off);
  const batched = await ratios(plan, "MLP, 64 connections: batching on / off", [
    async () => (await measure(on, CONNECTIONS, plan.seconds)).rate,
    async () => (await measure(off, CONNECTIONS, plan.seconds)).rate,
  ]);
  const raw = await ratios(plan, "MLP, 64 connections: batching on / raw runs of one row", [
    async () => (await measure(on, CONNECTIONS, plan.seconds)).rate,
    () => rawRuns(MLP, plan.seconds),
  ]);
  return [
    atLeast("MLP v2 infer, 64 connections, batching on against off", batched, 2.3),
    atLeast("MLP v2 infer, 64 connections, against raw session.run", raw, 1),
  ];
}

async function namedFields(plan: Plan): Promise<Figure[]> {
  await using ours = await startRuntime(LOAN);
  await using echo = await startServer("echo");
  const body = JSON.stringify({ age: 34, income: 52_000, credit_score: 700 });
  const [fast, bare] = [ours, echo].map(({ port }): Target => ({ port, path: "/predict", body })) as [Target, Target];
  const value = await ratios(plan, "/predict, 64 connections: ours / bare node:http echo", [
    async () => (await measure(fast, CONNECTIONS, plan.seconds)).rate,
    async () => (await measure(bare, CONNECTIONS, plan.seconds)).rate,
  ]);
  return [atLeast("/predict named fields, 64 connections, against a bare node:http echo", value, 0.8)];
}

async function fastApi(plan: Plan): Promise<Figure[]> {
  const python = await pythonWith("bench/runtime/peers/requirements.txt");
  await using ours = await startRuntime(LOAN);
  await using theirs = await ServerProcess.start(
    [python, "bench/runtime/peers/fastapi_server.py", LOAN],
    {},
    /^listening/,
  );
  const body = JSON.stringify({ age: 34, income: 52_000, credit_score: 700 });
  const [fast, slow] = [ours, theirs].map(({ port }): Target => ({ port, path: "/predict", body })) as [Target, Target];
  await requireSamePredictions(fast, slow);
  const value = await ratios(plan, "/predict, 64 connections: ours / FastAPI", [
    async () => (await measure(fast, CONNECTIONS, plan.seconds)).rate,
    async () => (await measure(slow, CONNECTIONS, plan.seconds)).rate,
  ]);
  return [atLeast("/predict named fields, 64 connections, against FastAPI, one worker", value, 5)];
}

async function startTime(plan: Plan): Promise<Figure[]> {
  const value = await ratios(plan, "start to ready, ms: ours / node -e ''", [
    async () => {
      const began = performance.now();
      await using _ = await startRuntime(LOAN);
      return performance.now() - began;
    },
    () => lifetime("-e", ""),
  ]);
  return [atMost("start to ready with the loan model, against node -e ''", value, 2.5)];
}

/** Median of the ratios of the two, measured in turns; the first turns only warm up. */
async function ratios(
  { rounds, note }: Plan,
  what: string,
  [first, second]: [() => Promise<number>, () => Promise<number>],
): Promise<number> {
  for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) {
    await first();
    await second();
  }
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push([await first(), await second()]);
  const median = (values: number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  const [ours, theirs] = [median(pairs.map(([a]) => a)), median(pairs.map(([, b]) => b))];
  note(`${what}: ${shown(ours)} / ${shown(theirs)}`);
  return median(pairs.map(([a, b]) => a / b));
}

async function requireSameAnswers(first: Target, second: Target): Promise<void> {
  const [ours, theirs] = await Promise.all([first, second].map(outputsOf));
  for (const [name, values] of Object.entries(ours ?? {})) {
    const others = theirs?.[name] ?? [];
    const isSame =
      values.length === others.length && values.every((value, at) => Math.abs(value - (others[at] as number)) < 1e-5);
    if (!isSame) throw new Error(`the servers differ in ${name}: ${values.join()} and ${others.join()}`);
  }
}

async function requireSamePredictions(first: Target, second: Target): Promise<void> {
  const [ours, theirs] = (await Promise.all([first, second].map(answerOf))) as { probability: number }[];
  if (Math.abs((ours?.probability ?? 0) - (theirs?.probability ?? 1)) < 1e-5) return;
  throw new Error(`the servers differ: ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`);
}

async function answerOf({ port, path, body }: Target): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  return (await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body })).json();
}

async function outputsOf(target: Target): Promise<Record<string, number[]>> {
  const { outputs } = (await answerOf(target)) as { outputs: { name: string; data: number[] }[] };
  return Object.fromEntries(outputs.map(({ name, data }) => [name, data]));
}

const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const atLeast = (name: string, value: number, goal: number): Figure => ({
  name,
  value,
  goal: `>= ${goal}`,
  ok: value >= goal,
});
const atMost = (name: string, value: number, goal: number): Figure => ({
  name,
  value,
  goal: `<= ${goal}`,
  ok: value <= goal,
});
