import type { IncomingHttpHeaders } from "node:http";

import { BINARY_HEADER, readInferBody, writeOutputs } from "../protocol/infer-body.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { Asker, ServedModel } from "../served-model.ts";
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
    async answer(served, body, { request, caller }) {
      requirePath(served.identity, request.url);
      const json = jsonLength(request.headers, body);
      return infer(served, parseJson(body.subarray(0, json)), body.subarray(json), { metrics, caller });
    },
    errorJson: ({ message }) => JSON.stringify({ error: message }),
  };
}

async function infer(
  served: ServedModel,
  document: unknown,
  binary: Buffer,
  { metrics, caller }: { metrics: RuntimeMetrics; caller: Asker },
): ReturnType<HotProtocol["answer"]> {
  const { identity } = served;
  const asked = readInferBody(document, binary);
  const { outputs, raw } = writeOutputs(await served.infer(asked, metrics, caller), asked.isBinary);
  const { name: model_name, version: model_version, variant: model_variant } = identity;
  const { id } = asked;
  const json = JSON.stringify({ model_name, model_version, id, parameters: { model_variant }, outputs });
  return raw.length === 0 ? { json } : { json, raw };
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
