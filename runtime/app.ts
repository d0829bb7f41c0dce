import { setTimeout as delay } from "node:timers/promises";

import type { Logger } from "pino";

import type { Config } from "./config.ts";
import { BodyBudget } from "./http/body.ts";
import { endpoints } from "./http/endpoints.ts";
import { hotEndpoint } from "./http/hot-endpoint.ts";
import { inferProtocol, isInferPath } from "./http/infer.ts";
import { predictProtocol } from "./http/predict.ts";
import { HttpServer } from "./http/server.ts";
import type { Router } from "./http/server.ts";
import { openModel } from "./model/model.ts";
import { RuntimeMetrics } from "./observability/metrics.ts";
import { ServedModel } from "./served-model.ts";
import { ServingState } from "./serving-state.ts";
import { fetchArtifact } from "./source/artifact.ts";

/** Requests that are still running this long after the drain are cut. */
const CLOSE_GRACE_MS = 20_000;

export interface Runtime {
  readonly port: number;
  /** Settles when the model serves; rejects with a LoadError when it never will. Resolves when stopped before. */
  readonly ready: Promise<void>;
  /**
   * Fails the health check, serves for `drainSeconds` more (cut short by `hurry`), then closes.
   * Resolves when the last request is answered.
   */
  stop(hurry: AbortSignal): Promise<void>;
}

/** Listens at once, then loads the model. Rejects only when it cannot listen. */
export async function startRuntime(config: Config, logger: Logger): Promise<Runtime> {
  const state = new ServingState();
  const metrics = new RuntimeMetrics();
  const server = new HttpServer(router(config, state, metrics, logger), state, config);
  const port = await server.listen(config.port, config.host);
  logger.info({ port, host: config.host ?? "::" }, "listening");

  const loading = new AbortController();
  const ready = load(config, state, metrics, logger, loading.signal).catch((error: unknown) => {
    if (!loading.signal.aborted) throw error;
  });
  ready.catch(() => undefined); // whoever awaits it hears of it
  return {
    port,
    ready,
    async stop(hurry) {
      const wasServing = state.phase === "ready";
      state.draining = true;
      loading.abort(new Error("stopped while loading"));
      if (wasServing) {
        logger.info({ seconds: config.drainSeconds }, "draining");
        await delay(config.drainSeconds * 1000, undefined, { signal: hurry }).catch(() => undefined);
      }
      await server.close(CLOSE_GRACE_MS);
      logger.info("stopped");
    },
  };
}

function router(config: Config, state: ServingState, metrics: RuntimeMetrics, logger: Logger): Router {
  const options = { state, metrics, logger, bodies: new BodyBudget(config.maxBodyBytes), maxInFlight: config.maxQueue };
  const predict = hotEndpoint(predictProtocol(metrics), options);
  const infer = hotEndpoint(inferProtocol(metrics), options);
  const cold = endpoints(state, metrics, logger);
  return (path) => {
    if (path === "/predict") return (request, response) => void predict(request, response);
    if (isInferPath(path)) return (request, response) => void infer(request, response);
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
  const model = await openModel(artifact, config.intraOpThreads);
  signal.throwIfAborted();
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
    now: () => performance.now(),
    onRun: (rows) => metrics.batch(rows),
  });
  const loadSeconds = (performance.now() - began) / 1000;
  metrics.serve(served, loadSeconds);
  state.model = served;
  logger.info({ ...identity, load_seconds: loadSeconds }, "ready");
}
