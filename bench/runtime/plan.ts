import { median } from "./load/measured.ts";
import type { Measured } from "./load/measured.ts";
import type { ServerProcess } from "./server-process.ts";

/** How long and how often. */
export interface Plan {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** When memory is looked at first and last, in seconds of load. */
  readonly memorySeconds: readonly [first: number, last: number];
  readonly note: (text: string) => void;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number; readonly unit?: "ms" | "%" };

export interface Figure {
  /** For --only. */
  readonly id: string;
  readonly name: string;
  readonly goal: Goal;
  /** About, without the making of Python environments. */
  readonly seconds: (plan: Plan) => number;
  readonly measure: (plan: Plan) => Promise<number>;
}

/** One of two that are measured in turns. */
export interface Side {
  readonly name: string;
  readonly measure: () => Promise<number>;
  /** What must be known to judge the measurements. */
  readonly remark?: () => string;
}

/** Until both are compiled to machine code. */
const WARM_UP_TURNS = 2;
const STARTS_SECONDS = 4;

export const ratioSeconds = ({ rounds, seconds }: Plan): number =>
  (WARM_UP_TURNS + rounds) * seconds * 2 + STARTS_SECONDS;

/** Median of the ratios of the two, measured in turns; the first turns only warm up. */
export async function ratio({ rounds, note }: Plan, ours: Side, theirs: Side): Promise<number> {
  for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) {
    await ours.measure();
    await theirs.measure();
  }
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push([await ours.measure(), await theirs.measure()]);
  for (const [at, { name, remark }] of [ours, theirs].entries()) {
    note(`${name}: ${shown(median(pairs.map((pair) => pair[at] as number)))}${remark?.() ?? ""}`);
  }
  return median(pairs.map(([a, b]) => a / b));
}

/**
 * Answers a second of `server` under the load that `measure` makes. The remark tells a server that had less than its
 * core, on a machine that others use too, and a load that had all of its own, which is then what limits the rate.
 */
export function rateOf(
  plan: Plan,
  name: string,
  server: ServerProcess,
  measure: (seconds: number) => Promise<Measured>,
): Side {
  const perCpuSecond: number[] = [];
  const efforts: number[] = [];
  return {
    name: `${name}, answers a second`,
    async measure() {
      const cpu = server.cpuSeconds();
      const { answers, rate, effort } = await measure(plan.seconds);
      perCpuSecond.push(answers / (server.cpuSeconds() - cpu));
      efforts.push(effort);
      return rate;
    },
    remark: () =>
      ` (${shown(median(perCpuSecond))} a second of its processor time; the load's core was ${Math.round(100 * median(efforts))} % busy)`,
  };
}

const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
