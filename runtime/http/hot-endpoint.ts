import type { IncomingMessage, ServerResponse } from "node:http";

import type { Logger } from "pino";

import { CancelledError, DeadlineError, QueueFullError } from "../batching/micro-batcher.ts";
import type { Caller } from "../batching/micro-batcher.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { ServedModel } from "../served-model.ts";
import type { ServingState } from "../serving-state.ts";
import { readJson } from "./body.ts";
import type { BodyBudget } from "./body.ts";
import { ClientGoneError, RequestError } from "./request-error.ts";
import { requestId } from "./request-id.ts";
import { sendJson } from "./respond.ts";

export interface Context {
  readonly requestId: string;
  readonly request: IncomingMessage;
  readonly caller: Caller;
}

/** A protocol on the hot path: what differs between /predict and v2 infer. */
export interface HotProtocol {
  /** Resolves with the JSON text of the answer; throws a RequestError for a request that cannot be answered. */
  answer(model: ServedModel, body: unknown, context: Context): Promise<string>;
  errorJson(error: RequestError, requestId: string): string;
}

export interface HotEndpointOptions {
  readonly state: ServingState;
  readonly metrics: RuntimeMetrics;
  readonly logger: Logger;
  readonly bodies: BodyBudget;
  /** Requests beyond this many in flight are refused. */
  readonly maxInFlight: number;
}

/** Admission, body, errors and bookkeeping of one protocol. The handler answers everything itself and never rejects. */
export function hotEndpoint(
  protocol: HotProtocol,
  options: HotEndpointOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { state, metrics, logger, bodies, maxInFlight } = options;
  const logsRequests = logger.isLevelEnabled("debug");

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    { id, began }: { id: string; began: number },
  ): Promise<string> => {
    if (request.method !== "POST") {
      throw new RequestError(405, `${request.method} is not supported here: use POST`, { headers: { allow: "POST" } });
    }
    if (state.model === undefined) throw busy("the model is still loading", "not_ready");
    if (metrics.inFlight > maxInFlight) throw busy(`${maxInFlight} predictions are in flight already`, "overloaded");
    const caller = { deadline: deadline(request, began), isGone: () => response.destroyed };
    const body = await readJson(request, bodies);
    return protocol.answer(state.model, body, { requestId: id, request, caller });
  };

  return async (request, response) => {
    const began = performance.now();
    const id = requestId(request);
    let status = 200;
    metrics.inFlight += 1;
    try {
      sendJson(response, status, await handle(request, response, { id, began }), { "x-request-id": id });
      metrics.latency((performance.now() - began) / 1000);
    } catch (thrown) {
      if (thrown instanceof ClientGoneError || thrown instanceof CancelledError) {
        response.destroy();
        return;
      }
      const error = answerable(thrown);
      status = error.status;
      if (error.reason === "internal") logger.error({ request_id: id, err: thrown }, "a prediction failed");
      metrics.error(error.reason);
      // What remains of a refused body would be taken for the next request.
      const unread = request.complete ? {} : { connection: "close" };
      sendJson(response, status, protocol.errorJson(error, id), { ...unread, ...error.headers, "x-request-id": id });
      request.resume();
    } finally {
      metrics.inFlight -= 1;
      if (logsRequests) {
        const ms = performance.now() - began;
        logger.debug({ request_id: id, method: request.method, path: request.url, status, ms }, "request");
      }
    }
  };
}

/** When the caller gives up waiting, on the clock of `began`; undefined when it did not say. */
function deadline({ headers }: IncomingMessage, began: number): number | undefined {
  const asked = headers["x-request-timeout-ms"];
  if (asked === undefined) return undefined;
  if (typeof asked === "string" && /^[1-9]\d{0,8}$/.test(asked)) return began + Number(asked);
  throw new RequestError(400, "x-request-timeout-ms must be a whole number of milliseconds, at least 1");
}

const busy = (message: string, reason: "not_ready" | "overloaded"): RequestError =>
  new RequestError(503, `${message}: try again`, { reason, headers: { "retry-after": "1" } });

function answerable(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  if (thrown instanceof QueueFullError) return busy(thrown.message, "overloaded");
  if (thrown instanceof DeadlineError) return new RequestError(504, thrown.message, { reason: "deadline" });
  return new RequestError(500, "the model failed on this input; the log has the cause under this request_id", {
    reason: "internal",
  });
}
