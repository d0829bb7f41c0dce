import type { IncomingHttpHeaders } from "node:http";

import type { PredictionIds } from "../feedback/prediction-id.ts";
import { mapped } from "../mapped.ts";
import type { Prediction } from "../model/answer.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { Rows } from "../protocol/rows.ts";
import { readTensorRows } from "../protocol/tensor-rows.ts";
import type { ModelIdentity, ServedModel } from "../served-model.ts";
import { JSON_TYPE, decodeText, parseJson, requireContent } from "./body.ts";
import type { HotProtocol } from "./hot-endpoint.ts";
import { pathCheck } from "./model-path.ts";
import { RequestError } from "./request-error.ts";

const CSV_TYPE = /^text\/csv\s*(?:;|$)/i;

interface Predicted {
  readonly predictions: readonly Prediction[];
  /** Whether the rows came as a list. */
  readonly many: boolean;
  readonly identity: ModelIdentity;
  readonly requestId: string;
}

/** How an answer looks. */
type Form = (predicted: Predicted) => object;

/** POST /predict: all that is known of each prediction. */
const OWN: Form = ({ predictions, many, identity, requestId }) => ({
  ...(many ? { predictions } : predictions[0]),
  model_version: identity.version,
  model_variant: identity.variant,
  request_id: requestId,
});

/** MLflow's `/invocations`, and `/v1/models/{model}:predict` of TensorFlow Serving and KServe: the predictions alone. */
const PLAIN: Form = ({ predictions }) => ({ predictions: predictions.map(({ prediction }) => prediction) });

const V1_PATH = /^\/v1\/models\/([^/:]+)(?:\/versions\/([^/:]+))?:predict$/;

export const isV1PredictPath = (path: string): boolean => V1_PATH.test(path);

/** POST /predict: named fields in, predictions out. */
export function predictProtocol(metrics: RuntimeMetrics, ids: PredictionIds): HotProtocol {
  const errorBody = ({ problems, message }: RequestError, requestId: string): object => ({
    detail: problems ?? message,
    request_id: requestId,
  });
  return rowProtocol("predict", metrics, OWN, errorBody, ids);
}

/** POST /invocations, as MLflow's scoring server answers it. */
export function invocationsProtocol(metrics: RuntimeMetrics): HotProtocol {
  return rowProtocol("invocations", metrics, PLAIN, (error) => ({
    error_code: error.status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR",
    message: messageOf(error),
  }));
}

/** POST /v1/models/{model}[/versions/{version}]:predict. */
export function v1Protocol(metrics: RuntimeMetrics): HotProtocol {
  const protocol = rowProtocol("v1", metrics, PLAIN, (error) => ({ error: messageOf(error) }));
  const requirePath = pathCheck(V1_PATH);
  return {
    ...protocol,
    async answer(served, body, context) {
      requirePath(served.identity, context.request.url);
      return protocol.answer(served, body, context);
    },
  };
}

function rowProtocol(
  name: string,
  metrics: RuntimeMetrics,
  form: Form,
  errorBody: (error: RequestError, requestId: string) => object,
  ids?: PredictionIds,
): HotProtocol {
  return {
    name,
    requireContent: (headers) =>
      requireContent(headers, [JSON_TYPE, CSV_TYPE], 'send JSON with "content-type: application/json", or text/csv'),
    async answer(served, body, { requestId, request, caller }) {
      const isCsv = CSV_TYPE.test(request.headers["content-type"] ?? "");
      const read = readRows(served, body, { isCsv, takesTensors: form === PLAIN });
      const status = form === OWN ? 422 : 400; // each protocol's own
      if (!read.ok) throw new RequestError(status, "the input does not fit the model", { problems: read.problems });
      const predictions = await served.predict(read.job, caller);
      for (const { prediction } of predictions) metrics.prediction(prediction);
      const id = ids ? selfDescribing(ids, requestId, request.headers, served, predictions) : requestId;
      const json = JSON.stringify(form({ predictions, many: read.many, identity: served.identity, requestId: id }));
      return { json, requestId: id };
    },
    errorJson: (error, requestId) => JSON.stringify(errorBody(error, requestId)),
  };
}

/** The id that feedback can be given for. One that the caller chose is kept as it is. */
function selfDescribing(
  ids: PredictionIds,
  requestId: string,
  headers: IncomingHttpHeaders,
  { identity, model }: ServedModel,
  rows: readonly Prediction[],
): string {
  const { kind } = model.answers;
  if (kind === "tensors" || headers["x-request-id"] === requestId) return requestId;
  const predictions = mapped(rows, ({ prediction }) => prediction);
  return ids.write(requestId, { version: identity.version, revision: identity.revision, kind, predictions });
}

function readRows(
  { identity, model, rows }: ServedModel,
  body: Buffer,
  { isCsv, takesTensors }: { isCsv: boolean; takesTensors: boolean },
): Rows {
  if (rows !== undefined) return isCsv ? rows.readCsv(decodeText(body)) : rows.read(parseJson(body));
  if (takesTensors && !isCsv) return readTensorRows(parseJson(body), model.pipeline, model.batchable);
  const msg = `This model takes tensors, not named fields: call POST /v2/models/${identity.name}/infer, or list its features in metadata.json`;
  throw new RequestError(422, msg, { problems: [{ loc: ["body"], msg, type: "no_named_features" }] });
}

/** The first problems in words, for protocols whose errors are a text. */
function messageOf({ message, problems = [] }: RequestError): string {
  const words = problems.slice(0, 5).map(({ loc, msg }) => `${loc.slice(1).join(".") || "body"}: ${msg}`);
  return words.length > 0 ? words.join("; ") : message;
}
