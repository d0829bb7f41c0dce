import { setTimeout as delay } from "node:timers/promises";

import type { Logger } from "pino";

import { BusyPoll } from "./busy-poll.ts";
import type { Config } from "./config.ts";
import { PredictionIds } from "./feedback/prediction-id.ts";
import type { GrpcServer } from "./grpc/server.ts";
import { checkGolden, rowsAtStart } from "./golden/check-golden.ts";
import { BodyBudget } from "./http/body.ts";
import { healthEndpoint, isHealthPath } from "./http/health.ts";
import { hotEndpoint } from "./http/hot-endpoint.ts";
import { inferProtocol, isInferPath } from "./http/infer.ts";
import { LoadedLater } from "./http/loaded-later.ts";
import { invocationsProtocol, isV1PredictPath, predictProtocol, v1Protocol } from "./http/predict.ts";
import { HttpServer } from "./http/server.ts";
import type { Routes } from "./http/server.ts";
import { InFlight } from "./in-flight.ts";
import { openModel } from "./model/model.ts";
import type { Model, ModelLocation } from "./model/model.ts";
import { RuntimeMetrics } from "./observability/metrics.ts";
import { alone } from "./processes/pod.ts";
import type { Pod } from "./processes/pod.ts";
import { openPredictionLog } from "./prediction-log/open-prediction-log.ts";
import { ServedModel } from "./served-model.ts";
import { ServingState } from "./serving-state.ts";

/** Requests that are still running this long after the drain are cut. */
const CLOSE_GRACE_MS = 20_000;

export interface Runtime {
  /** Undefined for a process of a pod that does not listen yet. */
  readonly port: number | undefined;
  /** Undefined when GRPC_PORT is not set, too. */
  readonly grpcPort: number | undefined;
  /** Settles when the model serves; rejects with a LoadError when it never will. Resolves when stopped before. */
  readonly ready: Promise<void>;
  /**
   * Fails the health check, serves for `drainSeconds` more (cut short by `hurry`), then closes.
   * Resolves when the last request is answered.
   */
  stop(hurry: AbortSignal): Promise<void>;
}

interface Parts {
  readonly config: Config;
  readonly state: ServingState;
  readonly inFlight: InFlight;
  readonly metrics: RuntimeMetrics;
  readonly logger: Logger;
  readonly pod: Pod;
}

interface Listening {
  readonly port: number;
  readonly grpcPort: number | undefined;
  close(graceMs: number): Promise<void>;
}

/**
 * Listens at once, unless other processes of the pod serve already, and loads the model. Rejects, with the system's error,
 * only when it cannot listen.
 */
export async function startRuntime(config: Config, parent: Logger, pod: Pod = alone(config)): Promise<Runtime> {
  const logger = parent.child({ model_variant: config.modelVariant }); // and model_version, once it is known
  const state = new ServingState();
  const inFlight = new InFlight(config.maxQueue, busyPoll(config));
  const metrics = new RuntimeMetrics(inFlight, (own) => pod.shareMetrics(own));
  const parts = { config, state, inFlight, metrics, logger, pod };
  pod.onReadiness((othersReady) => state.setOthersReady(othersReady));
  let listening = pod.listensAtOnce ? await listen(parts) : undefined;

  const loading = new AbortController();
  const ready = loadAndListen().catch((error: unknown) => {
    if (!loading.signal.aborted) throw error;
  });
  ready.catch(() => undefined); // whoever awaits it hears of it
  async function loadAndListen(): Promise<void> {
    await load(parts, loading.signal);
    listening ??= await listen(parts);
  }

  return {
    get port() {
      return listening?.port;
    },
    get grpcPort() {
      return listening?.grpcPort;
    },
    ready,
    async stop(hurry) {
      const wasServing = state.model !== undefined;
      state.drain();
      loading.abort(new Error("stopped while loading"));
      if (wasServing) {
        logger.info({ seconds: config.drainSeconds }, "draining");
        await delay(config.drainSeconds * 1000, undefined, { signal: hurry }).catch(() => undefined);
      }
      await listening?.close(CLOSE_GRACE_MS);
      await ready.catch(() => undefined); // a thread that is still opening the model must not be cut off
      await state.model?.close();
      logger.info("stopped");
    },
  };
}

const busyPoll = ({ busyPollMicroseconds }: Config): BusyPoll =>
  new BusyPoll({ longestMs: busyPollMicroseconds / 1000, now: () => performance.now(), nextTurn: setImmediate });

async function listen(parts: Parts): Promise<Listening> {
  const { config, state, logger } = parts;
  const bodies = new BodyBudget(config.maxBodyBytes);
  const server = new HttpServer(routes(parts, bodies), bodies, state, config);
  const port = await server.listen(config.port, config.host);
  logger.info({ port, host: config.host ?? "::" }, "listening");
  const grpc = await listenForGrpc(parts).catch(async (error: unknown) => {
    await server.close(0);
    throw error;
  });
  return {
    port,
    grpcPort: grpc?.port,
    close: async (graceMs) => void (await Promise.all([server.close(graceMs), grpc?.close(graceMs)])),
  };
}

/** The library is loaded only where there is a GRPC_PORT: it takes longer than all else at the start. */
async function listenForGrpc({ config, state, inFlight, metrics, logger }: Parts): Promise<GrpcServer | undefined> {
  if (config.grpcPort === undefined) return undefined;
  const { startGrpcServer } = await import("./grpc/server.ts");
  const { host, maxBodyBytes, maxConnectionAgeSeconds } = config;
  const options = { state, metrics, logger, host, maxBodyBytes, maxConnectionAgeSeconds, inFlight };
  const grpc = await startGrpcServer({ ...options, port: config.grpcPort });
  logger.info({ port: grpc.port, host: config.host ?? "::" }, "listening for gRPC");
  return grpc;
}

function routes({ config, state, inFlight, metrics, logger, pod }: Parts, bodies: BodyBudget): Routes {
  const options = { state, metrics, logger, inFlight };
  const ids = new PredictionIds(config.feedbackKey, config.feedbackMaxAgeSeconds * 1000);
  const predict = hotEndpoint(predictProtocol(metrics, ids), options);
  const invocations = hotEndpoint(invocationsProtocol(metrics), options);
  const v1 = hotEndpoint(v1Protocol(metrics), options);
  const infer = hotEndpoint(inferProtocol(metrics), options);
  const health = healthEndpoint(state);
  const { countFeedback } = pod;
  const feedback = new LoadedLater(async () => {
    const { feedbackEndpoint } = await import("./http/feedback.ts");
    return feedbackEndpoint({ ids, countFeedback, logger, bodies, now: Date.now });
  }, logger);
  const cold = new LoadedLater(async () => {
    const { endpoints } = await import("./http/endpoints.ts");
    return endpoints(state, metrics, logger);
  }, logger);
  return {
    hot: (path) => {
      if (path === "/predict") return predict;
      if (isInferPath(path)) return infer;
      if (isV1PredictPath(path)) return v1;
      return path === "/invocations" ? invocations : undefined;
    },
    cold: (path) => {
      if (isHealthPath(path)) return health;
      return path === "/feedback" ? feedback.handle : cold.handle;
    },
  };
}

async function load({ config, state, metrics, logger, pod }: Parts, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  const artifact = await pod.fetchArtifact(config, logger, signal);
  logger.info({ source: artifact.uri, sha256: artifact.sha256, bytes: artifact.bytes }, "artifact is here");
  const opened = await openModel(artifact, config.intraOpThreads);
  const model = await inThread(opened, artifact, config);
  if (signal.aborted) await model.pipeline.close();
  signal.throwIfAborted();
  logger.info({ run_ms: opened.runMs, thread: model.pipeline !== opened.pipeline }, "model is warm");
  await expectGolden(model, artifact, config.batchMaxSize, logger);
  const identity = {
    name: config.modelName,
    version: model.metadata.version ?? artifact.version ?? config.modelVersion ?? config.modelVariant,
    variant: config.modelVariant,
    revision: config.modelRevision,
    source: artifact.uri,
    sha256: artifact.sha256,
  };
  const log = await openPredictionLog(config, { model, identity }, { logger, fileSuffix: pod.fileSuffix });
  const served = new ServedModel({ ...model, golden: undefined }, identity, new Date(), {
    maxRows: config.batchMaxSize,
    maxQueue: config.maxQueue,
    maxWait: config.requestTimeoutSeconds * 1000,
    maxDelay: config.batchMaxDelayMs,
    now: () => performance.now(),
    onRun: (rows) => metrics.batch(rows),
    onRan: (milliseconds) => metrics.inference(milliseconds / 1000),
    onWait: (milliseconds) => metrics.queueWait(milliseconds / 1000),
    log,
  });
  logger.setBindings({ model_version: identity.version });
  const loadSeconds = (performance.now() - began) / 1000;
  metrics.serve(served, loadSeconds);
  state.model = served;
  logger.info({ ...identity, load_seconds: loadSeconds }, "ready");
}

/** Throws a LoadError when the model does not answer golden.json as that expects. */
async function expectGolden(model: Model, { uri }: ModelLocation, batchRows: number, logger: Logger): Promise<void> {
  const { golden, pipeline, runMs } = model;
  if (golden === undefined) return;
  try {
    const rows = await checkGolden(model, golden, { maxRows: rowsAtStart(runMs), batchRows, source: uri });
    logger.info({ rows, of: golden.rows.length }, "golden rows are answered as expected");
  } catch (error) {
    await pipeline.close();
    throw error;
  }
}

/** The model as it is when a run is short, else with its runs in a thread of their own. */
async function inThread(model: Model, { folder, uri }: ModelLocation, config: Config): Promise<Model> {
  const { files, pipeline, runMs = 0 } = model;
  if (runMs <= config.inlineRunMs) return model;
  const { startWorkerPipeline } = await import("./execution/worker-pipeline.ts"); // most models are light
  const setup = { folder, files, intraOpThreads: config.intraOpThreads, source: uri };
  const threaded = await startWorkerPipeline(pipeline, setup);
  await pipeline.close();
  return { ...model, pipeline: threaded };
}
