import type { IncomingHttpHeaders } from "node:http";

import { BINARY_HEADER, readInferBody } from "../protocol/infer-body.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { ReadInfer } from "../protocol/known-infer.ts";
import type { ServedModel } from "../served-model.ts";
import { JSON_TYPE, parseJson, requireContent } from "./body.ts";
import type { HotProtocol } from "./hot-endpoint.ts";
import { pathCheck } from "./model-path.ts";
import { RequestError } from "./request-error.ts";

const OCTETS = /^application\/octet-stream\s*(?:;|$)/i;
const PATH = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/;

export const isInferPath = (path: string): boolean => PATH.test(path);

/** POST /v2/models/{model}[/versions/{version}]/infer: tensors in, tensors out, in JSON or in binary form. */
export function inferProtocol(metrics: RuntimeMetrics): HotProtocol {
  const requirePath = pathCheck(PATH);
  return {
    name: "v2",
    requireContent(headers) {
      const accepted = headers[BINARY_HEADER] === undefined ? [JSON_TYPE] : [JSON_TYPE, OCTETS];
      requireContent(headers, accepted, 'send JSON with "content-type: application/json"');
    },
    answer(served, body, { request, caller }) {
      requirePath(served.identity, request.url);
      const isJson = request.headers[BINARY_HEADER] === undefined;
      const known = isJson ? served.known.read(body) : undefined;
      const { asked, job } = known ?? readInfer(served, body, request.headers);
      const inference = { job, names: asked.outputs, counter: metrics, asker: caller };
      return served.infer(inference, (tensors) => served.writer.write(tensors, asked));
    },
    errorJson: ({ message }) => JSON.stringify({ error: message }),
  };
}

/** Throws an InferError, or a RequestError (400). */
function readInfer(served: ServedModel, body: Buffer, headers: IncomingHttpHeaders): ReadInfer {
  const json = jsonLength(headers, body);
  const { inputs, ...asked } = readInferBody(parseJson(body.subarray(0, json)), body.subarray(json));
  const job = served.job({ ...asked, inputs });
  if (headers[BINARY_HEADER] === undefined) served.known.learn(body, asked, job);
  return { asked, job };
}

/** How many bytes of the body are JSON. */
function jsonLength(headers: IncomingHttpHeaders, body: Buffer): number {
  const header = headers[BINARY_HEADER];
  if (header === undefined) return body.length;
  const length = typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (length <= body.length) return length;
  throw new RequestError(
    400,
    `${BINARY_HEADER} must be the number of bytes of the body's JSON, which has ${body.length} bytes with all that follows`,
  );
}
