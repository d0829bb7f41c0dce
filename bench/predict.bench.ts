import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Pool } from "undici";

interface Options {
  readonly quick: boolean;
  readonly print: (line: string) => void;
}

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly goal: string;
  readonly ok: boolean;
}

interface Server {
  readonly name: string;
  readonly process: ChildProcess;
  readonly pool: Pool;
  readonly rates: number[];
}

const CONNECTIONS = 64;
const BODY = JSON.stringify({ age: 58, income: 20288, credit_score: 669 });

/**
 * `POST /predict` of the loan model with 64 connections: the runtime against an Express handler that calls onnxruntime
 * for each request, and against a bare node:http echo. Rounds alternate; the ratios are of the medians.
 */
export async function run({ quick, print }: Options): Promise<Figure[]> {
  const [rounds, seconds] = quick ? [3, 2] : [7, 5];
  const servers = await Promise.all([
    start("runtime", ["runtime/main.ts"], { MODEL_URI: `${process.cwd()}/examples/loan/1.0.0`, LOG_LEVEL: "info" }),
    start("express", ["bench/peers/express.ts"], {}),
    start("echo", ["bench/peers/echo.ts"], {}),
  ]);
  try {
    const [runtime, express] = await Promise.all(servers.map(async ({ pool }) => answer(pool)));
    if (runtime?.["probability"] !== express?.["probability"])
      throw new Error(`the servers answer differently: ${JSON.stringify([runtime, express])}`);
    for (let round = 1; round <= rounds; round++)
      for (const server of servers) {
        server.rates.push(await requestsPerSecond(server.pool, seconds));
        print(`round ${round}: ${server.name} ${server.rates.at(-1)?.toFixed(0)} requests/s`);
      }
  } finally {
    await Promise.all(servers.map(stop));
  }
  const [own = 0, express = 0, echo = 0] = servers.map(({ rates }) => median(rates));
  const figures = [
    figure("/predict against Express + onnxruntime", own / express, 2),
    figure("/predict against a bare node:http echo", own / echo, 0.5),
  ];
  for (const { name, value, goal } of figures) print(`${name}: ${value.toFixed(2)}x (goal ${goal})`);
  return figures;
}

function figure(name: string, value: number, least: number): Figure {
  return { name, value, goal: `>= ${least}x`, ok: value >= least };
}

async function start(name: string, args: readonly string[], environment: Record<string, string>): Promise<Server> {
  const env = { PATH: process.env["PATH"] ?? "", PORT: "0", HOST: "127.0.0.1", ...environment };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const port = await portOf(child, name);
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
  for (let ready = false; !ready;) {
    const { statusCode, body } = await pool.request({ method: "GET", path: "/health" });
    await body.dump();
    ready = statusCode === 200;
  }
  return { name, process: child, pool, rates: [] };
}

/** Each server says where it listens in a JSON line of its log. */
async function portOf(child: ChildProcess, name: string): Promise<number> {
  if (child.stdout === null) throw new Error(`${name} has no output`);
  for await (const line of createInterface({ input: child.stdout })) {
    const { port } = JSON.parse(line) as { port?: number };
    if (port !== undefined) return port;
  }
  throw new Error(`${name} ended before it listened`);
}

async function answer(pool: Pool): Promise<Record<string, unknown>> {
  const { body } = await pool.request(request);
  return (await body.json()) as Record<string, unknown>;
}

const request = {
  method: "POST",
  path: "/predict",
  headers: { "content-type": "application/json" },
  body: BODY,
} as const;

async function requestsPerSecond(pool: Pool, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const { statusCode, body } = await pool.request(request);
      await body.dump();
      if (statusCode !== 200) throw new Error(`a request was answered with ${statusCode}`);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return answered / seconds;
}

async function stop({ process: child, pool }: Server): Promise<void> {
  await pool.close();
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
