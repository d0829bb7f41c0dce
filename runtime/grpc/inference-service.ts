import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { Metadata, status as Status } from "@grpc/grpc-js";
import type { Logger } from "pino";

import { CancelledError } from "../batching/micro-batcher.ts";
import { RequestError, answerable, busy, requireIdentity } from "../http/request-error.ts";
import { requestId } from "../http/request-id.ts";
import type { InFlight } from "../in-flight.ts";
import type { RuntimeMetrics } from "../observability/metrics.ts";
import { modelMetadata, serverMetadata } from "../protocol/model-metadata.ts";
import type { Asker, ServedModel } from "../served-model.ts";
import type { ServingState } from "../serving-state.ts";
import * as messages from "./inference-messages.ts";
import { readRequest, writeResponse } from "./inference-tensors.ts";
import { ProtobufError } from "./protobuf.ts";
import type { Method, Service } from "./service.ts";

const unary = (request: Method["request"], response: Method["response"]): Method => ({
  request,
  response,
  streams: "none",
});

export const INFERENCE_SERVICE: Service = {
  name: "inference.GRPCInferenceService",
  methods: {
    ServerLive: unary(messages.SERVER_LIVE_REQUEST, messages.SERVER_LIVE_RESPONSE),
    ServerReady: unary(messages.SERVER_READY_REQUEST, messages.SERVER_READY_RESPONSE),
    ModelReady: unary(messages.MODEL_READY_REQUEST, messages.MODEL_READY_RESPONSE),
    ServerMetadata: unary(messages.SERVER_METADATA_REQUEST, messages.SERVER_METADATA_RESPONSE),
    ModelMetadata: unary(messages.MODEL_METADATA_REQUEST, messages.MODEL_METADATA_RESPONSE),
    ModelInfer: unary(messages.MODEL_INFER_REQUEST, messages.MODEL_INFER_RESPONSE),
  },
};

export interface InferenceOptions {
  readonly state: ServingState;
  readonly metrics: RuntimeMetrics;
  readonly logger: Logger;
  readonly inFlight: InFlight;
}

type Handler = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void | Promise<void>;

/** The Open Inference Protocol over gRPC. */
export function inferenceHandlers(options: InferenceOptions): Record<string, Handler> {
  const { state, metrics, inFlight } = options;
  const isServed = ({ name, version }: { name: string; version: string }): boolean => {
    const identity = state.model?.identity;
    return name === identity?.name && (version === "" || version === identity.version);
  };
  const cold = (answer: (request: Buffer) => Buffer): Handler => {
    return (call, callback) => {
      try {
        callback(null, answer(call.request));
      } catch (thrown) {
        callback(callError(asRequestError(thrown)));
      }
    };
  };
  return {
    ServerLive: cold(() => messages.SERVER_LIVE_RESPONSE.encode({ live: true })),
    ServerReady: cold(() => messages.SERVER_READY_RESPONSE.encode({ ready: state.phase === "ready" })),
    ModelReady: cold((request) => {
      const asked = messages.MODEL_READY_REQUEST.decode(request);
      return messages.MODEL_READY_RESPONSE.encode({ ready: state.phase === "ready" && isServed(asked) });
    }),
    ServerMetadata: cold(() => messages.SERVER_METADATA_RESPONSE.encode(serverMetadata)),
    ModelMetadata: cold((request) => {
      const { name, version } = messages.MODEL_METADATA_REQUEST.decode(request);
      const { model, identity } = requireModel(state.model);
      requireIdentity(identity, name, version || identity.version);
      const { inputs, outputs, ...rest } = modelMetadata(identity, model.pipeline);
      const withShape = ({ shape, ...tensor }: (typeof inputs)[number]): object => ({
        ...tensor,
        shape: shape.map(BigInt),
      });
      return messages.MODEL_METADATA_RESPONSE.encode({
        ...rest,
        inputs: inputs.map(withShape),
        outputs: outputs.map(withShape),
      });
    }),
    ModelInfer: async (call, callback) => {
      const began = performance.now();
      const caller = callerOf(call, began);
      inFlight.enter(began);
      try {
        callback(null, await infer(call.request, caller, options));
        metrics.latency((performance.now() - began) / 1000);
      } catch (thrown) {
        if (thrown instanceof CancelledError) return; // the library has answered, or nobody listens
        const error = asRequestError(thrown);
        const id = caller.requestId;
        if (error.reason === "internal") options.logger.error({ request_id: id, err: thrown }, "a prediction failed");
        metrics.error(error.reason);
        callback({ ...callError(error), metadata: Metadata.fromHttp2Headers({ "x-request-id": id }) });
      } finally {
        inFlight.leave();
      }
    },
  };
}

async function infer(bytes: Buffer, caller: Asker, { state, metrics, inFlight }: InferenceOptions): Promise<Buffer> {
  const served = requireModel(state.model);
  inFlight.requireRoom();
  const message = messages.MODEL_INFER_REQUEST.decode(bytes);
  const { identity } = served;
  requireIdentity(identity, message.model_name, message.model_version || identity.version);
  const request = readRequest(message);
  const asked = { job: served.job(request), names: request.outputs, counter: metrics, asker: caller };
  const tensors = await served.infer(asked, (answered) => answered);
  return messages.MODEL_INFER_RESPONSE.encode({
    model_name: identity.name,
    model_version: identity.version,
    id: message.id,
    parameters: [{ key: "model_variant", value: { string_param: identity.variant } }],
    ...writeResponse(tensors, message.raw_input_contents.length > 0),
  });
}

/** When this call's answer would come too late, whether it still matters, and what is logged of it. */
function callerOf(call: ServerUnaryCall<Buffer, Buffer>, began: number): Asker {
  const left = Number(call.getDeadline()) - Date.now();
  const header = (name: string): string[] => call.metadata.get(name).map(String);
  return {
    deadline: performance.now() + left,
    isGone: () => call.cancelled,
    requestId: requestId({ "x-request-id": header("x-request-id")[0] }),
    protocol: "grpc",
    began,
    header,
  };
}

function requireModel(model: ServedModel | undefined): ServedModel {
  if (model === undefined) throw busy("the model is still loading", "not_ready");
  return model;
}

function asRequestError(thrown: unknown): RequestError {
  return thrown instanceof ProtobufError ? new RequestError(400, thrown.message) : answerable(thrown);
}

const CODES: Readonly<Record<number, Status>> = {
  400: Status.INVALID_ARGUMENT,
  404: Status.NOT_FOUND,
  503: Status.UNAVAILABLE,
  504: Status.DEADLINE_EXCEEDED,
};

function callError({ status, message }: RequestError): { code: Status; details: string } {
  return { code: CODES[status] ?? Status.INTERNAL, details: message };
}
