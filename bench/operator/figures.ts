import { setTimeout as delay } from "node:timers/promises";
import type { Goal } from "../report.ts";
import type { Fleet } from "./fleet.ts";
import { since, total, writes } from "./operator-process.ts";
import type { OperatorProcess } from "./operator-process.ts";

export interface Measured {
  readonly name: string;
  readonly value: number;
  readonly goal: Goal;
}

export interface Scene {
  readonly fleet: Fleet;
  readonly startOperator: () => Promise<OperatorProcess>;
  readonly objects: number;
  /** How long nothing must happen. */
  readonly idleSeconds: number;
  readonly note: (text: string) => void;
}

/** The goals are for 1,000 objects; those that grow with their number are scaled. */
const THOUSAND = 1_000;
/** Until the last status and Event are written. */
const SETTLE_MS = 5_000;
/** No write for so long, and all is told. */
const QUIET_MS = 10_000;
const TELL_MS = 300_000;
const CHANGES = 50;

const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

/** On a cluster with controllers and nodes: as many objects again after the first ones, to see whether cost grows. */
export async function onCluster({ fleet, startOperator, objects, idleSeconds, note }: Scene): Promise<Measured[]> {
  const operator = await startOperator();
  try {
    const first = await costOf(operator, () => fleet.create(named("first", objects), note));
    const second = await costOf(operator, () => fleet.create(named("second", objects), note));
    note(`each object: ${ofEach(first.requests, objects)} requests, then ${ofEach(second.requests, objects)}`);
    note(`each object: ${ofEach(first.passes, objects)} reconciles, then ${ofEach(second.passes, objects)}`);
    note(`the Deployments had their pods after ${first.result.pods.toFixed(1)} s`);
    await allIsTold(fleet, operator, note);
    const idle = await idleRequests(operator, idleSeconds);
    const scaled = (goal: number): number => Math.round((goal * 10 * objects) / THOUSAND) / 10;
    const { children, ready, pods, lagMs } = first.result;
    return [
      { name: `${objects} objects: children created, s`, value: children, goal: { atMost: scaled(60), unit: "s" } },
      { name: "all Ready after the last Deployment, s", value: ready - pods, goal: { atMost: 2, unit: "s" } },
      {
        name: "Ready after its own Deployment, p99, ms",
        value: quantile(lagMs, 0.99),
        goal: { atMost: 1_000, unit: "ms" },
      },
      { name: "requests an object", value: first.requests / objects, goal: { atMost: 12 } },
      { name: "CPU, s", value: first.cpuSeconds, goal: { atMost: scaled(33), unit: "s" } },
      { name: "memory at most, MiB", value: first.peakMebibytes, goal: { atMost: 250, unit: "MiB" } },
      {
        name: "CPU an object, second wave against first",
        value: second.cpuSeconds / first.cpuSeconds,
        goal: { atMost: 1.2 },
      },
      { name: "requests when idle", value: idle, goal: { atMost: 0 } },
    ];
  } finally {
    await operator.stop();
  }
}

/** On an API server alone: what many objects cost at rest, at a restart, and when one of them changes. */
export async function onApiServer({ fleet, startOperator, objects, idleSeconds, note }: Scene): Promise<Measured[]> {
  let operator = await startOperator();
  try {
    const names = named("mdep", objects);
    await fleet.create(names, note);
    await allIsTold(fleet, operator, note);
    const idle = await idleRequests(operator, idleSeconds);
    const grown = operator.peakMebibytes();
    await operator.stop();

    const began = performance.now();
    operator = await startOperator();
    note(`restarted and synced in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const before = await operator.requests();
    await delay(idleSeconds * 1000);
    const written = writes(await operator.requests());
    note(`requests since the restart: ${total(before)}`);

    const tookMs: number[] = [];
    for (let change = 0; change < CHANGES; change += 1)
      tookMs.push(await fleet.change(names[Math.floor((change * objects) / CHANGES)] ?? "", 4 + (change % 5)));
    note(`the slowest of ${CHANGES} changes: ${Math.max(...tookMs).toFixed(0)} ms`);
    return [
      { name: `${objects} objects: memory at most, MiB`, value: grown, goal: { atMost: 512, unit: "MiB" } },
      {
        name: "memory at most after a restart, MiB",
        value: operator.peakMebibytes(),
        goal: { atMost: 512, unit: "MiB" },
      },
      { name: "requests when idle", value: idle, goal: { atMost: 0 } },
      { name: "writes after a restart", value: written, goal: { atMost: 0 } },
      { name: "a change of one object, median, ms", value: quantile(tookMs, 0.5), goal: { atMost: 100, unit: "ms" } },
      { name: "a change of one object, p90, ms", value: quantile(tookMs, 0.9), goal: { atMost: 100, unit: "ms" } },
    ];
  } finally {
    await operator.stop();
  }
}

interface Cost<T> {
  readonly result: T;
  readonly cpuSeconds: number;
  readonly requests: number;
  readonly passes: number;
  readonly peakMebibytes: number;
}

async function costOf<T>(operator: OperatorProcess, work: () => Promise<T>): Promise<Cost<T>> {
  const [cpu, before, passed] = [operator.cpuSeconds(), await operator.requests(), await operator.passes()];
  const result = await work();
  await delay(SETTLE_MS);
  const requests = total(since(before, await operator.requests()));
  const passes = (await operator.passes()) - passed;
  return { result, cpuSeconds: operator.cpuSeconds() - cpu, requests, passes, peakMebibytes: operator.peakMebibytes() };
}

/**
 * Until the operator has nothing left to say: HPAs without metrics are told of a minute after they were made. Then there was
 * no write for a while, or it is time to measure what goes on.
 */
async function allIsTold(fleet: Fleet, operator: OperatorProcess, note: (text: string) => void): Promise<void> {
  const began = performance.now();
  let [written, quietSince] = [-1, began];
  while (performance.now() - quietSince < QUIET_MS && performance.now() - began < TELL_MS) {
    await delay(1_000);
    const now = writes(await operator.requests());
    if (now !== written || fleet.untold() > 0) quietSince = performance.now();
    written = now;
  }
  const took = ((performance.now() - began) / 1000).toFixed(0);
  note(`all was told after ${took} s more; HPAs of which nothing was told: ${fleet.untold()}`);
}

/** Watches that end and begin again are not counted: they last some minutes each. */
async function idleRequests(operator: OperatorProcess, idleSeconds: number): Promise<number> {
  await delay(SETTLE_MS);
  const before = await operator.requests();
  await delay(idleSeconds * 1000);
  return writes(since(before, await operator.requests()));
}

const ofEach = (count: number, objects: number): string => (count / objects).toFixed(1);

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
