import { setTimeout as delay } from "node:timers/promises";

import { measureHttp } from "../load/http.ts";
import type { Figure, Plan } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { startRuntime } from "../servers.ts";
import { LOAN, inferTarget, loanRequest, predictTarget } from "../workloads.ts";

const CONNECTIONS_EACH = 32;
const LOOK_EVERY_MS = 500;
/** Connections come and go, as clients do. */
const CONNECTION_SECONDS = 5;
/** By then code is compiled and the young generation has grown to its size, on a busy machine too. */
const WARM_UP_ANSWERS = 50_000;

export function memoryFigure({ memorySeconds: [first, last] }: Plan): Figure {
  return {
    id: "memory",
    name: `memory after ${duration(last)} of load, against after ${duration(first)}`,
    goal: { atMost: 1.1 },
    seconds: () => last + 2 * CONNECTION_SECONDS,
    measure: growth,
  };
}

/** Of peaks, since the garbage collector makes memory go up and down: that of the last `first` seconds to that of the first. */
async function growth({ memorySeconds: [first, last], note }: Plan): Promise<number> {
  await using runtime = await startRuntime(LOAN);
  for (let answers = 0; answers < WARM_UP_ANSWERS;) answers += await loadOnce(runtime.port);
  const stop = new AbortController();
  const loading = load(runtime.port, stop.signal);
  const failed = loading.then(() => Promise.reject(new Error("the load ended early")));
  failed.catch(() => undefined); // whoever races it hears of it
  try {
    const early = await Promise.race([peak(runtime, first), failed]);
    await Promise.race([delay((last - 2 * first) * 1000), failed]);
    const late = await Promise.race([peak(runtime, first), failed]);
    note(`most of the first ${duration(first)}: ${megabytes(early)}; of the last: ${megabytes(late)}`);
    return late / early;
  } finally {
    stop.abort();
    await loading;
  }
}

/** Both protocols at once, on new connections. Resolves with the number of answers. */
async function loadOnce(port: number): Promise<number> {
  const targets = [predictTarget(port), inferTarget(port, loanRequest())];
  const measured = await Promise.all(
    targets.map((target) => measureHttp(target, CONNECTIONS_EACH, CONNECTION_SECONDS)),
  );
  return measured.reduce((sum, { answers }) => sum + answers, 0);
}

async function load(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await loadOnce(port);
}

/** Bytes. */
async function peak(runtime: ServerProcess, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let most = 0;
  while (performance.now() < end) {
    most = Math.max(most, runtime.memory());
    await delay(LOOK_EVERY_MS);
  }
  return most;
}

const duration = (seconds: number): string => (seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
