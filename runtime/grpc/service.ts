import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

import type { MessageType } from "./protobuf.ts";

export interface Method {
  readonly request: MessageType;
  readonly response: MessageType;
  /** Which side may send more than one message. */
  readonly streams: "none" | "server" | "both";
}

/** A gRPC service, for the server and for reflection. */
export interface Service {
  /** With its package. */
  readonly name: string;
  readonly methods: Readonly<Record<string, Method>>;
}

/**
 * Messages pass as bytes: who handles a call decodes them, and can say what is wrong with them. Else the library
 * would answer INTERNAL, as if we had failed.
 */
export function definitionOf({ name, methods }: Service): ServiceDefinition {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const definition = ([method, { streams }]: [string, Method]): [string, MethodDefinition<Buffer, Buffer>] => [
    method,
    {
      path: `/${name}/${method}`,
      requestStream: streams === "both",
      responseStream: streams !== "none",
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  ];
  return Object.fromEntries(Object.entries(methods).map(definition));
}
