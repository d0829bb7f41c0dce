import { requireSameOutputs, requireSamePredictions } from "../answers.ts";
import { measureHttp } from "../load/http.ts";
import type { Target } from "../load/http.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { startBentoMl, startEcho, startFastApi, startLitServe, startMlServer, startRuntime } from "../servers.ts";
import { CONNECTIONS, LOAN, inferTarget, loanRequest, predictTarget } from "../workloads.ts";

const PYTHON_STARTS_SECONDS = 15;
const pythonSeconds = (plan: Plan): number => ratioSeconds(plan) + PYTHON_STARTS_SECONDS;

/** The loan model against nothing at all and against the same model by others. */
export const PREDICT_FIGURES: readonly Figure[] = [
  {
    id: "echo",
    name: "/predict named fields, 64 connections, against a bare node:http echo",
    goal: { atLeast: 0.8 },
    seconds: ratioSeconds,
    measure: againstEcho,
  },
  {
    id: "fastapi",
    name: "/predict named fields, 64 connections, against FastAPI, one worker",
    goal: { atLeast: 5 },
    seconds: pythonSeconds,
    measure: (plan) => againstPeer(plan, "FastAPI", startFastApi),
  },
  {
    id: "bentoml",
    name: "/predict named fields, 64 connections, against BentoML, one worker",
    goal: { atLeast: 12 },
    seconds: pythonSeconds,
    measure: (plan) => againstPeer(plan, "BentoML", startBentoMl),
  },
  {
    id: "litserve",
    name: "/predict named fields, 64 connections, against LitServe, one worker",
    goal: { atLeast: 12 },
    seconds: pythonSeconds,
    measure: (plan) => againstPeer(plan, "LitServe", startLitServe),
  },
  {
    id: "mlserver",
    name: "the loan model by v2 infer, 64 connections, against MLServer, one worker",
    goal: { atLeast: 12 },
    seconds: pythonSeconds,
    measure: againstMlServer,
  },
];

async function againstEcho(plan: Plan): Promise<number> {
  await using runtime = await startRuntime(LOAN);
  await using echo = await startEcho();
  return await ratio(
    plan,
    rate(plan, "ours", runtime, predictTarget(runtime.port)),
    rate(plan, "echo", echo, predictTarget(echo.port)),
  );
}

async function againstPeer(
  plan: Plan,
  name: string,
  start: (folder: string) => Promise<ServerProcess>,
): Promise<number> {
  await using peer = await start(LOAN);
  await using runtime = await startRuntime(LOAN);
  const [ours, theirs] = [predictTarget(runtime.port), predictTarget(peer.port)];
  await requireSamePredictions(ours, theirs);
  return await ratio(plan, rate(plan, "ours", runtime, ours), rate(plan, name, peer, theirs));
}

/** It speaks only the Open Inference Protocol, and so does ours here. */
async function againstMlServer(plan: Plan): Promise<number> {
  const { http } = await startMlServer(LOAN);
  await using peer = http;
  await using runtime = await startRuntime(LOAN);
  const [ours, theirs] = [runtime, peer].map(({ port }) => inferTarget(port, loanRequest())) as [Target, Target];
  await requireSameOutputs(ours, theirs);
  return await ratio(plan, rate(plan, "ours", runtime, ours), rate(plan, "MLServer", peer, theirs));
}

const rate = (plan: Plan, name: string, server: ServerProcess, target: Target) =>
  rateOf(plan, name, server, (seconds) => measureHttp(target, CONNECTIONS, seconds));
