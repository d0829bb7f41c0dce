import { Server, ServerCredentials } from "@grpc/grpc-js";

import { INFERENCE_MESSAGES } from "./inference-messages.ts";
import { INFERENCE_SERVICE, inferenceHandlers } from "./inference-service.ts";
import type { InferenceOptions } from "./inference-service.ts";
import type { ProtoFile } from "./descriptor.ts";
import { HEALTH_FILE, HEALTH_SERVICE, healthHandlers } from "./health.ts";
import { REFLECTION_PACKAGES, reflection } from "./reflection.ts";
import { definitionOf } from "./service.ts";

const KEEPALIVE_MS = 60_000;
const MAX_STREAMS = 1000;

export interface GrpcOptions extends InferenceOptions {
  readonly host: string | undefined;
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly maxConnectionAgeSeconds: number;
}

export interface GrpcServer {
  readonly port: number;
  /** Takes no new call, lets running ones end for at most `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** Serves the Open Inference Protocol, health and reflection, without TLS. Rejects when it cannot listen. */
export async function startGrpcServer(options: GrpcOptions): Promise<GrpcServer> {
  const closing = new AbortController();
  const server = new Server({
    "grpc.max_receive_message_length": options.maxBodyBytes,
    "grpc.max_concurrent_streams": MAX_STREAMS,
    "grpc.max_connection_age_ms": options.maxConnectionAgeSeconds * 1000,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
  });
  server.addService(definitionOf(INFERENCE_SERVICE), inferenceHandlers(options));
  server.addService(definitionOf(HEALTH_SERVICE), healthHandlers(options.state, closing.signal));
  const files: ProtoFile[] = [INFERENCE_FILE, HEALTH_FILE];
  for (const packageName of REFLECTION_PACKAGES) {
    const { file, service, handlers } = reflection(packageName, () => files);
    files.push(file);
    server.addService(definitionOf(service), handlers);
  }
  const { host = "[::]" } = options;
  const port = await listen(
    server,
    `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${options.port}`,
  );
  return {
    port,
    async close(graceMs) {
      closing.abort();
      await close(server, graceMs);
    },
  };
}

const INFERENCE_FILE: ProtoFile = {
  name: "open_inference_grpc.proto",
  package: "inference",
  messages: INFERENCE_MESSAGES,
  services: [INFERENCE_SERVICE],
};

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const cut = setTimeout(() => server.forceShutdown(), graceMs);
  await closed;
  clearTimeout(cut);
}
