import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { status as Status } from "@grpc/grpc-js";

import type { ServingState } from "../serving-state.ts";
import type { ProtoFile } from "./descriptor.ts";
import { INFERENCE_SERVICE } from "./inference-service.ts";
import { ProtobufError, enumeration, message, one, string } from "./protobuf.ts";
import type { Service } from "./service.ts";

const STATUS_NAME = "grpc.health.v1.HealthCheckResponse.ServingStatus";
const SERVING_STATUS = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
const REQUEST = message("grpc.health.v1.HealthCheckRequest", { service: one(1, string) });
const RESPONSE = message("grpc.health.v1.HealthCheckResponse", { status: one(1, enumeration(STATUS_NAME)) });

export const HEALTH_SERVICE: Service = {
  name: "grpc.health.v1.Health",
  methods: {
    Check: { request: REQUEST, response: RESPONSE, streams: "none" },
    Watch: { request: REQUEST, response: RESPONSE, streams: "server" },
  },
};

export const HEALTH_FILE: ProtoFile = {
  name: "grpc/health/v1/health.proto",
  package: "grpc.health.v1",
  messages: [REQUEST, RESPONSE],
  enums: [{ name: STATUS_NAME, values: SERVING_STATUS }],
  services: [HEALTH_SERVICE],
};

/**
 * gRPC's health protocol: the server ("") and the inference service serve when /health says so.
 * Watches end with `closing`: they would keep the server from it.
 */
export function healthHandlers(
  state: ServingState,
  closing: AbortSignal,
): {
  Check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;
  Watch: (call: ServerWritableStream<Buffer, Buffer>) => void;
} {
  const statusOf = (service: string): number | undefined => {
    if (service !== "" && service !== INFERENCE_SERVICE.name) return undefined;
    return state.phase === "ready" ? SERVING_STATUS.SERVING : SERVING_STATUS.NOT_SERVING;
  };
  return {
    Check(call, callback) {
      const service = serviceIn(call.request);
      const status = service === undefined ? undefined : statusOf(service);
      if (service === undefined) callback({ code: Status.INVALID_ARGUMENT, details: "no HealthCheckRequest" });
      else if (status === undefined) callback({ code: Status.NOT_FOUND, details: `there is no service ${service}` });
      else callback(null, RESPONSE.encode({ status }));
    },
    Watch(call) {
      const service = serviceIn(call.request) ?? "";
      let told: number | undefined;
      const tell = (): void => {
        const status = statusOf(service) ?? SERVING_STATUS.SERVICE_UNKNOWN;
        if (status !== told) call.write(RESPONSE.encode({ status }));
        told = status;
      };
      tell();
      const stopTelling = state.onChange(tell);
      const end = (): void => void call.end();
      closing.addEventListener("abort", end);
      const ended = (): void => {
        stopTelling();
        closing.removeEventListener("abort", end);
      };
      call.once("cancelled", ended).once("finish", ended);
    },
  };
}

function serviceIn(bytes: Buffer): string | undefined {
  try {
    return REQUEST.decode(bytes).service;
  } catch (error) {
    if (error instanceof ProtobufError) return undefined;
    throw error;
  }
}
