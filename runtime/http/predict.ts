import type { HotProtocol } from "./hot-endpoint.ts";
import { RequestError } from "./request-error.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";

/** POST /predict: named fields in, predictions out. */
export function predictProtocol(metrics: RuntimeMetrics): HotProtocol {
  return {
    async answer(served, body, { requestId, caller }) {
      const { identity, rows } = served;
      if (rows === undefined) {
        const msg = `This model takes tensors, not named fields: call POST /v2/models/${identity.name}/infer, or list its features in metadata.json`;
        throw new RequestError(422, msg, { problems: [{ loc: ["body"], msg, type: "no_named_features" }] });
      }
      const read = rows.read(body);
      if (!read.ok) throw new RequestError(422, "the input does not fit the model", { problems: read.problems });
      const predictions = await served.predict(read.job, caller);
      for (const { prediction } of predictions) metrics.prediction(prediction);
      return JSON.stringify({
        ...(read.many ? { predictions } : predictions[0]),
        model_version: identity.version,
        model_variant: identity.variant,
        request_id: requestId,
      });
    },
    errorJson: ({ message, problems }, requestId) =>
      JSON.stringify({ detail: problems ?? message, request_id: requestId }),
  };
}
