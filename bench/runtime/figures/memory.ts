import { setTimeout as delay } from "node:timers/promises";

import { measureHttp } from "../load/http.ts";
import { median } from "../load/measured.ts";
import type { Figure, Plan } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { startRuntime } from "../servers.ts";
import { LOAN, inferTarget, loanRequest, predictTarget } from "../workloads.ts";

const CONNECTIONS_EACH = 32;
const LOOKS = 10;
const LOOK_EVERY_MS = 500;
/** Connections come and go, as clients do. */
const CONNECTION_SECONDS = 5;
const LOOKING_SECONDS = (LOOKS * LOOK_EVERY_MS) / 1000;

export function memoryFigure({ memorySeconds: [first, last] }: Plan): Figure {
  return {
    id: "memory",
    name: `memory after ${duration(last)} of load, against after ${duration(first)}`,
    goal: { atMost: 1.1 },
    seconds: () => last + LOOKING_SECONDS + 2,
    measure: growth,
  };
}

async function growth({ memorySeconds: [first, last], note }: Plan): Promise<number> {
  await using runtime = await startRuntime(LOAN);
  const stop = new AbortController();
  const loading = load(runtime.port, stop.signal);
  try {
    await Promise.race([delay(first * 1000), loading]);
    const early = await memoryOf(runtime);
    note(`after ${duration(first)}: ${megabytes(early)}`);
    await Promise.race([delay((last - first) * 1000 - LOOKING_SECONDS * 1000), loading]);
    const late = await memoryOf(runtime);
    note(`after ${duration(last)}: ${megabytes(late)}`);
    return late / early;
  } finally {
    stop.abort();
    await loading;
  }
}

/** Both protocols at once, until it is stopped. */
async function load(port: number, signal: AbortSignal): Promise<void> {
  const targets = [predictTarget(port), inferTarget(port, loanRequest())];
  while (!signal.aborted) {
    await Promise.all(targets.map((target) => measureHttp(target, CONNECTIONS_EACH, CONNECTION_SECONDS)));
  }
}

/** Median of some looks: the garbage collector makes it go up and down. */
async function memoryOf(runtime: ServerProcess): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    looks.push(runtime.memory());
    await delay(LOOK_EVERY_MS);
  }
  return median(looks);
}

const duration = (seconds: number): string => (seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
