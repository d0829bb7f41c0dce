import type { IncomingHttpHeaders } from "node:http";

import type { Logger } from "pino";

import { CancelledError } from "../batching/micro-batcher.ts";
import type { InFlight } from "../in-flight.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { Asker, ServedModel } from "../served-model.ts";
import type { ServingState } from "../serving-state.ts";
import { ClientGoneError, RequestError, answerable, busy } from "./request-error.ts";
import { requestId } from "./request-id.ts";

/** A request on the hot path, whichever way it came. */
export interface HotRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** When its head was here, on the clock of `performance.now()`. */
  readonly began: number;
  /** Whether nobody waits for the answer any more. */
  readonly isGone: () => boolean;
}

export interface HotResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: string;
  /** Whether the JSON is known to be a byte for each character. */
  readonly isAscii?: boolean | undefined;
  /** Bytes that follow the JSON. */
  readonly raw?: readonly Uint8Array[] | undefined;
}

/** Answers everything itself and never rejects; undefined when nobody waits for the answer any more. */
export type HotEndpoint = (
  request: HotRequest,
  body: Buffer | (() => Promise<Buffer>),
) => Promise<HotResponse | undefined>;

/** The JSON text of an answer, what follows it, and what its request is called if not as it was. */
export interface Answer {
  readonly json: string;
  readonly isAscii?: boolean;
  readonly raw?: readonly Uint8Array[];
  readonly requestId?: string;
}

export interface Context {
  readonly requestId: string;
  readonly request: HotRequest;
  readonly caller: Asker;
}

/** A protocol on the hot path: what differs between /predict, v2 infer and others. */
export interface HotProtocol {
  /** As the prediction log calls it. */
  readonly name: string;
  /** Throws a RequestError (415) when the headers announce a body that is not for this protocol. */
  requireContent(headers: IncomingHttpHeaders): void;
  /** Throws a RequestError for a request that cannot be answered. */
  answer(model: ServedModel, body: Buffer, context: Context): Promise<Answer>;
  errorJson(error: RequestError, requestId: string): string;
}

export interface HotEndpointOptions {
  readonly state: ServingState;
  readonly metrics: RuntimeMetrics;
  readonly logger: Logger;
  readonly inFlight: InFlight;
}

/** Admission, errors and bookkeeping of one protocol. */
export function hotEndpoint(protocol: HotProtocol, options: HotEndpointOptions): HotEndpoint {
  const { state, metrics, logger, inFlight } = options;
  const logsRequests = logger.isLevelEnabled("debug");

  /** Throws a RequestError for a request that is not even read. */
  const admit = ({ method, headers }: HotRequest): ServedModel => {
    if (method !== "POST") {
      throw new RequestError(405, `${method} is not supported here: use POST`, { headers: { allow: "POST" } });
    }
    if (state.model === undefined) throw busy("the model is still loading", "not_ready");
    inFlight.requireRoom();
    protocol.requireContent(headers);
    return state.model;
  };

  return async (request, body) => {
    const { began, isGone } = request;
    const id = requestId(request.headers);
    let status = 200;
    inFlight.enter(began);
    try {
      const model = admit(request);
      const caller = {
        deadline: deadline(request),
        isGone,
        requestId: id,
        protocol: protocol.name,
        began,
        header: (name: string) => request.headers[name],
      };
      const bytes = typeof body === "function" ? await body() : body;
      const {
        json,
        isAscii,
        raw,
        requestId: given = id,
      } = await protocol.answer(model, bytes, { requestId: id, request, caller });
      metrics.latency((performance.now() - began) / 1000);
      return { status, headers: { "x-request-id": given }, json, isAscii, raw };
    } catch (thrown) {
      if (thrown instanceof ClientGoneError || thrown instanceof CancelledError) return undefined;
      const error = answerable(thrown);
      status = error.status;
      if (error.reason === "internal") logger.error({ request_id: id, err: thrown }, "a prediction failed");
      metrics.error(error.reason);
      return { status, headers: { ...error.headers, "x-request-id": id }, json: protocol.errorJson(error, id) };
    } finally {
      inFlight.leave();
      if (logsRequests) {
        const { method, url: path } = request;
        logger.debug({ request_id: id, method, path, status, ms: performance.now() - began }, "request");
      }
    }
  };
}

/** When the caller gives up waiting, on the clock of `began`; undefined when it did not say. */
function deadline({ headers, began }: HotRequest): number | undefined {
  const asked = headers["x-request-timeout-ms"];
  if (asked === undefined) return undefined;
  if (typeof asked === "string" && /^[1-9]\d{0,8}$/.test(asked)) return began + Number(asked);
  throw new RequestError(400, "x-request-timeout-ms must be a whole number of milliseconds, at least 1");
}
