import type { IncomingMessage, ServerResponse } from "node:http";

import { HEALTH_PATH } from "../contract.ts";
import type { ServingState } from "../serving-state.ts";

interface Health {
  readonly status: number;
  readonly body: object;
}

/** What probes ask, by path. It needs no library: a pod is ready no later than its model. */
const HEALTH: Readonly<Record<string, (state: ServingState) => Health>> = {
  [HEALTH_PATH]: ({ phase, model }) => ({
    status: phase === "ready" ? 200 : 503,
    body: {
      status: phase === "ready" ? "ok" : phase,
      ...(model && { model_version: model.identity.version, model_variant: model.identity.variant }),
    },
  }),
  "/v2/health/live": () => ({ status: 200, body: { live: true } }),
  "/v2/health/ready": ({ phase }) => ({ status: phase === "ready" ? 200 : 503, body: { ready: phase === "ready" } }),
};

export const isHealthPath = (path: string): boolean => Object.hasOwn(HEALTH, path);

/** Answers GET and HEAD of the paths for which `isHealthPath` holds. */
export function healthEndpoint(state: ServingState): (request: IncomingMessage, response: ServerResponse) => void {
  return ({ method, url = "" }, response) => {
    const health = HEALTH[url.split("?", 1).join("")];
    if (health === undefined) throw new Error(`${url} is no path of health`);
    const isRead = method === "GET" || method === "HEAD";
    const { status, body } = isRead
      ? health(state)
      : { status: 405, body: { error: `${method} is not supported here: use GET` } };
    const json = JSON.stringify(body);
    const allow = isRead ? {} : { allow: "GET, HEAD" };
    const type = { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(json) };
    response.writeHead(status, { ...allow, ...type }).end(json);
  };
}
