import type { ServerDuplexStream } from "@grpc/grpc-js";
import { status as Status } from "@grpc/grpc-js";

import { fileDescriptor, symbolsOf } from "./descriptor.ts";
import type { ProtoFile } from "./descriptor.ts";
import { ProtobufError, bytes, embedded, int32, many, message, one, optional, string } from "./protobuf.ts";
import type { MessageOf } from "./protobuf.ts";
import type { Service } from "./service.ts";

/** The same service under both its names: older tools know the alpha one only. */
export const REFLECTION_PACKAGES = ["grpc.reflection.v1", "grpc.reflection.v1alpha"] as const;

interface Reflection {
  readonly file: ProtoFile;
  readonly service: Service;
  readonly handlers: { ServerReflectionInfo: (call: ServerDuplexStream<Buffer, Buffer>) => void };
}

/** Tells tools such as grpcurl what there is to call. `files` gives the files, those of reflection included. */
export function reflection(packageName: string, files: () => readonly ProtoFile[]): Reflection {
  const extension = message(`${packageName}.ExtensionRequest`, {
    containing_type: one(1, string),
    extension_number: one(2, int32),
  });
  const request = message(`${packageName}.ServerReflectionRequest`, {
    host: one(1, string),
    file_by_filename: optional(3, string, "message_request"),
    file_containing_symbol: optional(4, string, "message_request"),
    file_containing_extension: optional(5, embedded(extension), "message_request"),
    all_extension_numbers_of_type: optional(6, string, "message_request"),
    list_services: optional(7, string, "message_request"),
  });
  const descriptors = message(`${packageName}.FileDescriptorResponse`, { file_descriptor_proto: many(1, bytes) });
  const numbers = message(`${packageName}.ExtensionNumberResponse`, {
    base_type_name: one(1, string),
    extension_number: many(2, int32),
  });
  const serviceName = message(`${packageName}.ServiceResponse`, { name: one(1, string) });
  const services = message(`${packageName}.ListServiceResponse`, { service: many(1, embedded(serviceName)) });
  const failure = message(`${packageName}.ErrorResponse`, { error_code: one(1, int32), error_message: one(2, string) });
  const response = message(`${packageName}.ServerReflectionResponse`, {
    valid_host: one(1, string),
    original_request: optional(2, embedded(request)),
    file_descriptor_response: optional(4, embedded(descriptors), "message_response"),
    all_extension_numbers_response: optional(5, embedded(numbers), "message_response"),
    list_services_response: optional(6, embedded(services), "message_response"),
    error_response: optional(7, embedded(failure), "message_response"),
  });
  const service: Service = {
    name: `${packageName}.ServerReflection`,
    methods: { ServerReflectionInfo: { request, response, streams: "both" } },
  };

  const answer = (asked: MessageOf<typeof request.fields>): Partial<MessageOf<typeof response.fields>> => {
    if (asked.list_services !== undefined) {
      const names = files().flatMap((file) => file.services.map(({ name }) => ({ name })));
      return { list_services_response: { service: names } };
    }
    const { file_by_filename: name, file_containing_symbol: symbol } = asked;
    const file = files().find(
      (candidate) => candidate.name === name || (symbol && symbolsOf(candidate).includes(symbol)),
    );
    if (file) return { file_descriptor_response: { file_descriptor_proto: [fileDescriptor(file)] } };
    const wanted = name ?? symbol;
    return {
      error_response: {
        error_code: wanted === undefined ? Status.UNIMPLEMENTED : Status.NOT_FOUND,
        error_message: wanted === undefined ? "there are no extensions" : `there is no ${wanted}`,
      },
    };
  };

  return {
    file: {
      name: `${packageName.replaceAll(".", "/")}/reflection.proto`,
      package: packageName,
      messages: [request, extension, response, descriptors, numbers, services, serviceName, failure],
      services: [service],
    },
    service,
    handlers: {
      ServerReflectionInfo(call) {
        call.on("data", (bytes: Buffer) => {
          try {
            const asked = request.decode(bytes);
            call.write(response.encode({ valid_host: asked.host, original_request: asked, ...answer(asked) }));
          } catch (error) {
            if (!(error instanceof ProtobufError)) throw error;
            call.emit("error", { code: Status.INVALID_ARGUMENT, details: error.message });
          }
        });
        call.on("end", () => call.end());
      },
    },
  };
}
