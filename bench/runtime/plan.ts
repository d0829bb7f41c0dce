import type { Goal } from "../report.ts";
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
  readonly measure: () => Promise<Sample>;
}

export interface Sample {
  readonly value: number;
  /** The same for a second of the server's processor time: what it would be on a machine of its own. */
  readonly perCpuSecond?: number;
  /** Share of its core that the load took: near 1 it is the load that limits the value. */
  readonly effort?: number;
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
  const turns: { ours: Sample; theirs: Sample }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    turns.push({ ours: await ours.measure(), theirs: await theirs.measure() });
  }
  note(`${ours.name}: ${summed(turns.map((turn) => turn.ours))}`);
  note(`${theirs.name}: ${summed(turns.map((turn) => turn.theirs))}`);
  const byTime = median(turns.map((turn) => (turn.ours.perCpuSecond ?? NaN) / (turn.theirs.perCpuSecond ?? NaN)));
  if (!Number.isNaN(byTime)) note(`by processor time: ${shown(byTime)}`);
  return median(turns.map((turn) => turn.ours.value / turn.theirs.value));
}

/** Answers a second of `server` under the load that `measure` makes. */
export function rateOf(
  plan: Plan,
  name: string,
  server: ServerProcess,
  measure: (seconds: number) => Promise<Measured>,
): Side {
  return {
    name: `${name}, answers a second`,
    async measure() {
      const cpu = server.cpuSeconds();
      const { answers, rate, effort } = await measure(plan.seconds);
      return { value: rate, perCpuSecond: answers / (server.cpuSeconds() - cpu), effort };
    },
  };
}

function summed(samples: readonly Sample[]): string {
  const middle = (of: (sample: Sample) => number | undefined): number =>
    median(samples.map((sample) => of(sample) ?? NaN));
  const value = middle((sample) => sample.value);
  const perCpuSecond = middle((sample) => sample.perCpuSecond);
  const effort = middle((sample) => sample.effort);
  const remarks = [
    ...(Number.isNaN(perCpuSecond) ? [] : [`${shown(perCpuSecond)} a second of processor time`]),
    ...(Number.isNaN(effort) ? [] : [`the load's core was ${Math.round(100 * effort)} % busy`]),
  ];
  return remarks.length === 0 ? shown(value) : `${shown(value)} (${remarks.join("; ")})`;
}

const shown = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
