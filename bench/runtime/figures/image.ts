import { setTimeout as delay } from "node:timers/promises";

import { requireSameOutputs } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import { quantile } from "../load/measured.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import { startRuntime } from "../servers.ts";
import { HEAVY_IMAGES, LIGHT_IMAGES, binaryImageTarget, imageTarget } from "../workloads.ts";

const CONNECTIONS = 8;
const PROBE_EVERY_MS = 5;
/** A hundredth of the probes must be more than one of them. */
const LEAST_PROBE_SECONDS = 5;

/** Pictures of 224 × 224 × 3 numbers. */
export const IMAGE_FIGURES: readonly Figure[] = [
  {
    id: "binary",
    name: "binary tensors 224x224x3, 8 connections, against own JSON",
    goal: { atLeast: 3.5 },
    seconds: ratioSeconds,
    measure: binaryAgainstJson,
  },
  {
    id: "health",
    name: "/health p99 while a heavy image model runs at full load",
    goal: { atMost: 10, unit: "ms" },
    seconds: (plan) => probeSeconds(plan) + plan.seconds + 2,
    measure: healthUnderLoad,
  },
];

async function binaryAgainstJson(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(LIGHT_IMAGES);
  const [binary, json] = [binaryImageTarget(runtime.port), imageTarget(runtime.port)];
  await requireSameOutputs(binary, json);
  return await ratio(
    plan,
    rateOf(plan, "binary", runtime, (seconds) => measureHttp(binary, CONNECTIONS, seconds)),
    rateOf(plan, "JSON", runtime, (seconds) => measureHttp(json, CONNECTIONS, seconds)),
  );
}

const probeSeconds = ({ rounds, seconds }: Plan): number => Math.max(rounds * seconds, LEAST_PROBE_SECONDS);

/** Milliseconds. */
async function healthUnderLoad(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(HEAVY_IMAGES);
  const images = binaryImageTarget(runtime.port);
  await measureHttp(images, CONNECTIONS, plan.seconds);
  const loading = measureHttp(images, CONNECTIONS, probeSeconds(plan));
  const probing = probe(`http://127.0.0.1:${runtime.port}/health`, probeSeconds(plan));
  const [load, latencies] = await Promise.all([loading, probing]);
  plan.note(
    `images, answers a second: ${load.rate.toFixed(1)}; p50 of /health in ms: ${quantile(latencies, 0.5).toFixed(2)}`,
  );
  return quantile(latencies, 0.99);
}

/** What each look at `url` took, ascending. */
async function probe(url: string, seconds: number): Promise<Float64Array> {
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const began = performance.now();
    const response = await fetch(url);
    await response.arrayBuffer();
    latencies.push(performance.now() - began);
    if (!response.ok) throw new Error(`${url} answered ${response.status} under load`);
    await delay(PROBE_EVERY_MS);
  }
  return Float64Array.from(latencies).sort();
}
