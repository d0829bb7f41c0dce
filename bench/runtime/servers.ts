import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Sample } from "./plan.ts";
import { ServerProcess, outputOf } from "./server-process.ts";
import { pythonWith } from "./python.ts";

/** As in the image, whose compiled code is part of it. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), "slipway-bench-compiled") };
const PEERS = "bench/runtime/peers";
const LISTENING = /^listening (\d+)/m;

type Environment = Readonly<Record<string, string>>;

/** Our runtime with this model, from its sources or from what they were made into. */
export const startRuntime = (model: string, env: Environment = {}, main = "runtime/main.ts"): Promise<ServerProcess> =>
  runtime(main, model, env);

/** Our runtime, counting nothing. */
export const startRuntimeWithoutMetrics = (model: string): Promise<ServerProcess> =>
  runtime("bench/runtime/servers/runtime-without-metrics.ts", model, {});

function runtime(script: string, model: string, env: Environment): Promise<ServerProcess> {
  return ServerProcess.start({
    command: [process.execPath, script],
    env: {
      MODEL_URI: model,
      PORT: "0",
      HOST: "127.0.0.1",
      DRAIN_SECONDS: "0",
      PROCESSES: "1",
      INTRA_OP_THREADS: "1",
      ...COMPILED,
      ...env,
    },
    port: /"port":(\d+)[^\n]*"msg":"listening"/,
    ready: /"msg":"ready"/,
  });
}

/** Where our runtime with a GRPC_PORT listens for gRPC. */
export const grpcPortOf = (server: ServerProcess): number =>
  Number(server.said(/"port":(\d+)[^\n]*"msg":"listening for gRPC"/));

/** Only loads the model, runs it once and ends. */
export const loadModel = (model: string): Promise<string> =>
  outputOf([process.execPath, "bench/runtime/servers/load-model.ts", model], COMPILED);

/** Express as one writes it first. */
export const startNaiveExpress = (model: string): Promise<ServerProcess> => startScript("naive-express", model);

/** node:http alone. */
export const startEcho = (): Promise<ServerProcess> => startScript("echo");

/** node:net alone. */
export const startBareSocket = (): Promise<ServerProcess> => startScript("bare-socket");

/** A server that knows nothing but the forest's request. */
export const startBareForest = (model: string): Promise<ServerProcess> => startScript("bare-forest", model);

function startScript(name: string, ...args: string[]): Promise<ServerProcess> {
  const command = [process.execPath, `bench/runtime/servers/${name}.ts`, ...args];
  return ServerProcess.start({ command, port: LISTENING, ready: LISTENING });
}

/** Runs a second of the model alone, one row each. */
export async function rawRuns(model: string, seconds: number): Promise<Sample> {
  const printed = await outputOf([process.execPath, "bench/runtime/servers/raw-run.ts", model, String(seconds)]);
  const [, value, perCpuSecond] = /^runs (\S+) (\S+)/m.exec(printed) ?? [];
  return { value: Number(value), perCpuSecond: Number(perCpuSecond) };
}

export async function startFastApi(folder: string): Promise<ServerProcess> {
  const python = await pythonWith(`${PEERS}/fastapi/requirements.txt`);
  const command = [join(python, "python"), `${PEERS}/fastapi/server.py`, folder];
  return ServerProcess.start({ command, port: LISTENING, ready: LISTENING });
}

export async function startBentoMl(folder: string): Promise<ServerProcess> {
  const python = await pythonWith(`${PEERS}/bentoml/requirements.txt`);
  const port = await freePort();
  return ServerProcess.start({
    command: [join(python, "bentoml"), "serve", "service:Loan", "--host", "127.0.0.1", "--port", String(port)],
    folder: `${PEERS}/bentoml`,
    env: {
      LOAN_MODEL: join(process.cwd(), folder),
      BENTOML_HOME: join(python, "../home"),
      BENTOML_DO_NOT_TRACK: "true",
    },
    port,
    ready: "/readyz",
  });
}

export async function startLitServe(folder: string): Promise<ServerProcess> {
  const python = await pythonWith(`${PEERS}/litserve/requirements.txt`);
  const port = await freePort();
  const command = [join(python, "python"), `${PEERS}/litserve/server.py`, folder, String(port)];
  return ServerProcess.start({ command, port, ready: "/health" });
}

/** MLServer with its port for gRPC. */
export async function startMlServer(model: string): Promise<{ http: ServerProcess; grpcPort: number }> {
  const python = await pythonWith(`${PEERS}/mlserver/requirements.txt`);
  const [port, grpcPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const http = await ServerProcess.start({
    command: [join(python, "mlserver"), "start", "."],
    folder: `${PEERS}/mlserver`,
    env: {
      MLSERVER_MODEL_URI: join(process.cwd(), model),
      MLSERVER_HTTP_PORT: String(port),
      MLSERVER_GRPC_PORT: String(grpcPort),
      MLSERVER_METRICS_PORT: String(metricsPort),
      MLSERVER_METRICS_DIR: join(python, "../metrics"),
    },
    port,
    ready: "/v2/models/model/ready",
  });
  return { http, grpcPort };
}

/** For servers that cannot say which port they were given. */
async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => resolve((probe.address() as AddressInfo).port));
  const port = await promise;
  await new Promise((closed) => probe.close(closed));
  return port;
}
