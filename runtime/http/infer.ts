import { InferError, readInfer, writeOutputs } from "../protocol/infer.ts";
import type { InferRequest } from "../protocol/infer.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import type { ServedModel } from "../served-model.ts";
import type { HotProtocol } from "./hot-endpoint.ts";
import { RequestError } from "./request-error.ts";

const PATH = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/;

export const isInferPath = (path: string): boolean => PATH.test(path);

/** POST /v2/models/{model}[/versions/{version}]/infer: tensors in, tensors out. */
export function inferProtocol(metrics: RuntimeMetrics): HotProtocol {
  return {
    async answer(served, body, { request, caller }) {
      const { model, identity } = served;
      requireServed(served, request.url ?? "");
      if (request.headers["inference-header-content-length"] !== undefined) {
        throw new RequestError(415, "binary tensors are not supported: send the data as JSON");
      }
      const asked = read(body, served);
      const answered = await served.infer(asked.job, caller);
      if (model.batchable && model.answers.kind !== "tensors") {
        for (let row = 0; row < asked.job.rows; row += 1) {
          metrics.prediction(model.answers.read(answered.outputs, answered.firstRow + row).prediction);
        }
      }
      return JSON.stringify({
        model_name: identity.name,
        model_version: identity.version,
        ...(asked.id !== undefined && { id: asked.id }),
        parameters: { model_variant: identity.variant },
        outputs: writeOutputs(answered, asked, model.batchable),
      });
    },
    errorJson: ({ message }) => JSON.stringify({ error: message }),
  };
}

function requireServed({ identity }: ServedModel, url: string): void {
  const [, name = "", version = identity.version] = PATH.exec(url.split("?", 1).join()) ?? [];
  if (decode(name) !== identity.name || decode(version) !== identity.version) {
    throw new RequestError(404, `this server has model ${identity.name} version ${identity.version} only`, {
      reason: "not_found",
    });
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RequestError(400, "the path is not valid percent-encoding");
  }
}

function read(body: unknown, { model }: ServedModel): InferRequest {
  try {
    return readInfer(body, model.pipeline, model.batchable);
  } catch (error) {
    throw error instanceof InferError ? new RequestError(400, error.message) : error;
  }
}
