import { setTimeout as delay } from "node:timers/promises";

import type { Logger } from "pino";

import type { Config } from "./config.ts";
import { PredictionIds } from "./feedback/prediction-id.ts";
import { Quality } from "./feedback/quality.ts";
import type { GrpcServer } from "./grpc/server.ts";
import { BodyBudget } from "./http/body.ts";
import { endpoints } from "./http/endpoints.ts";
import { feedbackEndpoint } from "./http/feedback.ts";
import { hotEndpoint } from "./http/hot-endpoint.ts";
import { inferProtocol, isInferPath } from "./http/infer.ts";
import { invocationsProtocol, isV1PredictPath, predictProtocol, v1Protocol } from "./http/predict.ts";
import { HttpServer } from "./http/server.ts";
import type { Router } from "./http/server.ts";
import { startWorkerPipeline } from "./execution/worker-pipeline.ts";
import { openModel } from "./model/model.ts";
import type { Model, ModelLocation } from "./model/model.ts";
import { RuntimeMetrics } from "./observability/metrics.ts";
import { ServedModel } from "./served-model.ts";
import { ServingState } from "./serving-state.ts";
import { fetchArtifact } from "./source/artifact.ts";

/** Requests that are still running this long after the drain are cut. */
const CLOSE_GRACE_MS = 20_000;

export interface Runtime {
  readonly port: number;
  /** Undefined when GRPC_PORT is not set. */
  readonly grpcPort: number | undefined;
  /** Settles when the model serves; rejects with a LoadError when it never will. Resolves when stopped before. */
  readonly ready: Promise<void>;
  /**
   * Fails the health check, serves for `drainSeconds` more (cut short by `hurry`), then closes.
   * Resolves when the last request is answered.
   */
  stop(hurry: AbortSignal): Promise<void>;
}

/** Listens at once, then loads the model. Rejects, with the system's error, only when it cannot listen. */
export async function startRuntime(config: Config, logger: Logger): Promise<Runtime> {
  const state = new ServingState();
  const metrics = new RuntimeMetrics();
  const server = new HttpServer(router(config, state, metrics, logger), state, config);
  const port = await server.listen(config.port, config.host);
  logger.info({ port, host: config.host ?? "::" }, "listening");
  const grpc = await listenForGrpc(config, state, metrics, logger).catch(async (error: unknown) => {
    await server.close(0);
    throw error;
  });

  const loading = new AbortController();
  const ready = load(config, state, metrics, logger, loading.signal).catch((error: unknown) => {
    if (!loading.signal.aborted) throw error;
  });
  ready.catch(() => undefined); // whoever awaits it hears of it
  return {
    port,
    grpcPort: grpc?.port,
    ready,
    async stop(hurry) {
      const wasServing = state.phase === "ready";
      state.drain();
      loading.abort(new Error("stopped while loading"));
      if (wasServing) {
        logger.info({ seconds: config.drainSeconds }, "draining");
        await delay(config.drainSeconds * 1000, undefined, { signal: hurry }).catch(() => undefined);
      }
      await Promise.all([server.close(CLOSE_GRACE_MS), grpc?.close(CLOSE_GRACE_MS)]);
      await ready.catch(() => undefined); // a thread that is still opening the model must not be cut off
      await state.model?.close();
      logger.info("stopped");
    },
  };
}

/** The library is loaded only where there is a GRPC_PORT: it takes longer than all else at the start. */
async function listenForGrpc(
  config: Config,
  state: ServingState,
  metrics: RuntimeMetrics,
  logger: Logger,
): Promise<GrpcServer | undefined> {
  if (config.grpcPort === undefined) return undefined;
  const { startGrpcServer } = await import("./grpc/server.ts");
  const { host, maxBodyBytes, maxConnectionAgeSeconds, maxQueue: maxInFlight } = config;
  const options = { state, metrics, logger, host, maxBodyBytes, maxConnectionAgeSeconds, maxInFlight };
  const grpc = await startGrpcServer({ ...options, port: config.grpcPort });
  logger.info({ port: grpc.port, host: config.host ?? "::" }, "listening for gRPC");
  return grpc;
}

function router(config: Config, state: ServingState, metrics: RuntimeMetrics, logger: Logger): Router {
  const options = { state, metrics, logger, bodies: new BodyBudget(config.maxBodyBytes), maxInFlight: config.maxQueue };
  const ids = new PredictionIds(config.feedbackKey, config.feedbackMaxAgeSeconds * 1000);
  const quality = new Quality(config.feedbackWindow, metrics.registry);
  const feedback = feedbackEndpoint({ ids, quality, logger, bodies: options.bodies, now: Date.now });
  const predict = hotEndpoint(predictProtocol(metrics, ids), options);
  const invocations = hotEndpoint(invocationsProtocol(metrics), options);
  const v1 = hotEndpoint(v1Protocol(metrics), options);
  const infer = hotEndpoint(inferProtocol(metrics), options);
  const cold = endpoints(state, metrics, logger);
  return (path) => {
    if (path === "/predict") return (request, response) => void predict(request, response);
    if (isInferPath(path)) return (request, response) => void infer(request, response);
    if (path === "/feedback") return (request, response) => void feedback(request, response);
    if (isV1PredictPath(path)) return (request, response) => void v1(request, response);
    if (path === "/invocations") return (request, response) => void invocations(request, response);
    return cold;
  };
}

async function load(
  config: Config,
  state: ServingState,
  metrics: RuntimeMetrics,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now();
  const artifact = await fetchArtifact(config, logger, signal);
  logger.info({ source: artifact.uri, sha256: artifact.sha256, bytes: artifact.bytes }, "artifact is here");
  const opened = await openModel(artifact, config.intraOpThreads);
  const model = await inThread(opened, artifact, config);
  if (signal.aborted) await model.pipeline.close();
  signal.throwIfAborted();
  logger.info({ run_ms: opened.runMs, thread: model.pipeline !== opened.pipeline }, "model is warm");
  const identity = {
    name: config.modelName,
    version: model.metadata.version ?? artifact.version ?? config.modelVersion ?? config.modelVariant,
    variant: config.modelVariant,
    revision: config.modelRevision,
    source: artifact.uri,
    sha256: artifact.sha256,
  };
  const served = new ServedModel(model, identity, new Date(), {
    maxRows: config.batchMaxSize,
    maxQueue: config.maxQueue,
    maxWait: config.requestTimeoutSeconds * 1000,
    maxDelay: config.batchMaxDelayMs,
    now: () => performance.now(),
    onRun: (rows) => metrics.batch(rows),
  });
  const loadSeconds = (performance.now() - began) / 1000;
  metrics.serve(served, loadSeconds);
  state.model = served;
  logger.info({ ...identity, load_seconds: loadSeconds }, "ready");
}

/** The model as it is when a run is short, else with its runs in a thread of their own. */
async function inThread(model: Model, { folder, uri }: ModelLocation, config: Config): Promise<Model> {
  const { files, pipeline, runMs = 0 } = model;
  if (runMs <= config.inlineRunMs) return model;
  const setup = { folder, files, intraOpThreads: config.intraOpThreads, source: uri };
  const threaded = await startWorkerPipeline(pipeline, setup);
  await pipeline.close();
  return { ...model, pipeline: threaded };
}
