import express from "express";
import type { ErrorRequestHandler, Express, RequestHandler } from "express";
import type { Logger } from "pino";

import type { RuntimeMetrics } from "../observability/metrics.ts";
import { modelMetadata, modelStatus, serverMetadata } from "../protocol/model-metadata.ts";
import type { ServedModel } from "../served-model.ts";
import type { ServingState } from "../serving-state.ts";
import { DOCS_PAGE, DOCS_POLICY } from "./docs-page.ts";
import { modelInfo } from "./model-info.ts";
import { openApi } from "./openapi.ts";
import { requestId } from "./request-id.ts";

/** Everything but the hot path, health and feedback: metadata, metrics, documentation. */
export function endpoints(state: ServingState, metrics: RuntimeMetrics, logger: Logger): Express {
  const app = express();
  app.disable("x-powered-by").disable("etag");

  /** Answers 503 until there is a model; `answer` gives undefined for another model's or version's name. */
  const withModel =
    (answer: (model: ServedModel, params: Record<string, string>) => unknown): RequestHandler<Record<string, string>> =>
    (request, response) => {
      if (state.model === undefined) {
        response.status(503).set("retry-after", "1").json({ error: "the model is still loading: try again" });
        return;
      }
      const { name, version } = state.model.identity;
      const { model = name, version: asked = version } = request.params;
      if (model !== name || asked !== version) {
        response.status(404).json({ error: `this server has model ${name} version ${version} only` });
        return;
      }
      response.json(answer(state.model, request.params));
    };

  const routes: Record<string, RequestHandler<Record<string, string>>> = {
    "/model/info": withModel(modelInfo),
    "/openapi.json": withModel(openApi),
    "/docs": (_, response) => void response.set("content-security-policy", DOCS_POLICY).type("html").send(DOCS_PAGE),
    "/metrics": async (_, response) => {
      response.set("content-type", metrics.contentType).end(await metrics.text());
    },
    "/ping": (_, response) => void response.sendStatus(state.phase === "ready" ? 200 : 503), // MLflow's health check
    "/v2": (_, response) => void response.json(serverMetadata),
  };
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    routes[path] = withModel(({ model, identity }) => modelMetadata(identity, model.pipeline));
    routes[`${path}/ready`] = withModel(({ identity }) => ({ name: identity.name, ready: true }));
  }
  for (const path of ["/v1/models/:model", "/v1/models/:model/versions/:version"]) {
    routes[path] = withModel(({ identity }) => modelStatus(identity));
  }
  for (const [path, handler] of Object.entries(routes)) {
    app
      .route(path)
      .get(handler)
      .all((request, response) => {
        response
          .status(405)
          .set("allow", "GET, HEAD")
          .json({ error: `${request.method} is not supported here: use GET` });
      });
  }

  app.use((request, response) => {
    response.status(404).json({
      error: `there is no ${request.path.slice(0, 200)}; see /docs, /openapi.json, /predict, /health, /model/info, /metrics and /v2`,
    });
  });
  const failed: ErrorRequestHandler = (error: Error & { status?: number }, request, response, _next) => {
    const status = error.status ?? 500;
    const id = requestId(request.headers);
    if (status >= 500) logger.error({ request_id: id, err: error, path: request.path }, "a request failed");
    response
      .status(status)
      .set("x-request-id", id)
      .json({ error: status >= 500 ? "internal error; the log has the cause" : error.message });
  };
  app.use(failed);
  return app;
}
