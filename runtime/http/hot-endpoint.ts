import type { IncomingMessage, ServerResponse } from "node:http";

import type { Logger } from "pino";

import { CancelledError } from "../batching/micro-batcher.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { Asker, ServedModel } from "../served-model.ts";
import type { ServingState } from "../serving-state.ts";
import { readBody } from "./body.ts";
import type { BodyBudget } from "./body.ts";
import { ClientGoneError, RequestError, answerable, busy } from "./request-error.ts";
import { requestId } from "./request-id.ts";
import { sendBinary, sendJson } from "./respond.ts";

/** The JSON text of an answer, and what follows it or what else its request is called. */
export type Answer = string | BinaryAnswer | NamedAnswer;

interface BinaryAnswer {
  readonly json: string;
  readonly raw: readonly Uint8Array[];
}

/** An answer that carries another request id than the one that its request was given. */
interface NamedAnswer {
  readonly json: string;
  readonly requestId: string;
}

export interface Context {
  readonly requestId: string;
  readonly request: IncomingMessage;
  readonly caller: Asker;
}

/** A protocol on the hot path: what differs between /predict, v2 infer and others. */
export interface HotProtocol {
  /** As the prediction log calls it. */
  readonly name: string;
  /** Throws a RequestError (415) when the headers announce a body that is not for this protocol. */
  requireContent(request: IncomingMessage): void;
  /** Throws a RequestError for a request that cannot be answered. */
  answer(model: ServedModel, body: Buffer, context: Context): Promise<Answer>;
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
  ): Promise<Answer> => {
    if (request.method !== "POST") {
      throw new RequestError(405, `${request.method} is not supported here: use POST`, { headers: { allow: "POST" } });
    }
    if (state.model === undefined) throw busy("the model is still loading", "not_ready");
    if (metrics.inFlight > maxInFlight) throw busy(`${maxInFlight} predictions are in flight already`, "overloaded");
    const caller = {
      deadline: deadline(request, began),
      isGone: () => response.destroyed,
      requestId: id,
      protocol: protocol.name,
      began,
      header: (name: string) => request.headers[name],
    };
    protocol.requireContent(request);
    const body = await readBody(request, bodies);
    return protocol.answer(state.model, body, { requestId: id, request, caller });
  };

  return async (request, response) => {
    const began = performance.now();
    const id = requestId(request);
    let status = 200;
    metrics.inFlight += 1;
    try {
      const answer = await handle(request, response, { id, began });
      const headers = { "x-request-id": id };
      if (typeof answer === "string") sendJson(response, status, answer, headers);
      else if ("requestId" in answer) sendJson(response, status, answer.json, { "x-request-id": answer.requestId });
      else sendBinary(response, answer, headers);
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
