import { bool, embedded, enumeration, int32, many, message, one, optional, string } from "./protobuf.ts";
import type { MessageType } from "./protobuf.ts";
import type { Service } from "./service.ts";

/** google.protobuf.FileDescriptorProto, as far as our files need it: what reflection hands out. */
const LABEL = { optional: 1, repeated: 3 };

const FIELD = message("google.protobuf.FieldDescriptorProto", {
  name: one(1, string),
  number: one(3, int32),
  label: one(4, enumeration("google.protobuf.FieldDescriptorProto.Label")),
  type: one(5, enumeration("google.protobuf.FieldDescriptorProto.Type")),
  type_name: one(6, string),
  oneof_index: optional(9, int32),
});
const ONEOF = message("google.protobuf.OneofDescriptorProto", { name: one(1, string) });
const MESSAGE_OPTIONS = message("google.protobuf.MessageOptions", { map_entry: one(7, bool) });
const ENUM_VALUE = message("google.protobuf.EnumValueDescriptorProto", { name: one(1, string), number: one(2, int32) });
const ENUM = message("google.protobuf.EnumDescriptorProto", {
  name: one(1, string),
  value: many(2, embedded(ENUM_VALUE)),
});
const METHOD = message("google.protobuf.MethodDescriptorProto", {
  name: one(1, string),
  input_type: one(2, string),
  output_type: one(3, string),
  client_streaming: one(5, bool),
  server_streaming: one(6, bool),
});
const SERVICE = message("google.protobuf.ServiceDescriptorProto", {
  name: one(1, string),
  method: many(2, embedded(METHOD)),
});
const FIELDS = {
  name: one(1, string),
  field: many(2, embedded(FIELD)),
  enum_type: many(4, embedded(ENUM)),
  options: optional(7, embedded(MESSAGE_OPTIONS)),
  oneof_decl: many(8, embedded(ONEOF)),
};
/** Declared three levels deep, which is as deep as ours are. */
const INNERMOST = message("google.protobuf.DescriptorProto", FIELDS);
const INNER = message("google.protobuf.DescriptorProto", { ...FIELDS, nested_type: many(3, embedded(INNERMOST)) });
const OUTER = message("google.protobuf.DescriptorProto", { ...FIELDS, nested_type: many(3, embedded(INNER)) });
const FILE = message("google.protobuf.FileDescriptorProto", {
  name: one(1, string),
  package: one(2, string),
  message_type: many(4, embedded(OUTER)),
  service: many(6, embedded(SERVICE)),
  syntax: one(12, string),
});

interface EnumDescription {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

export interface ProtoFile {
  readonly name: string;
  readonly package: string;
  readonly messages: readonly MessageType[];
  readonly enums?: readonly EnumDescription[];
  readonly services: readonly Service[];
}

/** The bytes of the file's FileDescriptorProto. */
export function fileDescriptor(file: ProtoFile): Buffer {
  return FILE.encode({
    name: file.name,
    package: file.package,
    message_type: declaredIn(file.package, file),
    service: file.services.map(({ name, methods }) => ({
      name: baseName(name),
      method: Object.entries(methods).map(([method, { request, response, streams }]) => ({
        name: method,
        input_type: `.${request.name}`,
        output_type: `.${response.name}`,
        client_streaming: streams === "both",
        server_streaming: streams !== "none",
      })),
    })),
    syntax: "proto3",
  });
}

/** The names that the file defines, services and messages. */
export const symbolsOf = ({ messages, services, enums = [] }: ProtoFile): string[] => [
  ...[...messages, ...enums].map(({ name }) => name),
  ...services.flatMap(({ name, methods }) => [name, ...Object.keys(methods).map((method) => `${name}.${method}`)]),
];

function declaredIn(scope: string, file: ProtoFile): ReturnType<typeof describeMessage>[] {
  return file.messages.filter(({ name }) => parentOf(name) === scope).map((type) => describeMessage(type, file));
}

interface MessageDescription {
  name: string;
  field: object[];
  nested_type: MessageDescription[];
  enum_type: object[];
  options?: { map_entry: boolean };
  oneof_decl: { name: string }[];
}

function describeMessage(type: MessageType, file: ProtoFile): MessageDescription {
  const fields = Object.entries(type.fields);
  const oneofs = [...new Set(fields.flatMap(([, { oneof }]) => oneof ?? []))];
  return {
    name: baseName(type.name),
    field: fields.map(
      ([
        name,
        {
          number,
          type: { descriptor },
          presence,
          oneof,
        },
      ]) => ({
        name,
        number,
        label: presence === "repeated" ? LABEL.repeated : LABEL.optional,
        type: descriptor.type,
        ...(descriptor.typeName !== undefined && { type_name: `.${descriptor.typeName}` }),
        ...(oneof !== undefined && { oneof_index: oneofs.indexOf(oneof) }),
      }),
    ),
    nested_type: declaredIn(type.name, file),
    enum_type: (file.enums ?? [])
      .filter(({ name }) => parentOf(name) === type.name)
      .map(({ name, values }) => ({
        name: baseName(name),
        value: Object.entries(values).map(([value, number]) => ({ name: value, number })),
      })),
    ...(type.isMapEntry && { options: { map_entry: true } }),
    oneof_decl: oneofs.map((name) => ({ name })),
  };
}

const parentOf = (name: string): string => name.slice(0, name.lastIndexOf("."));
const baseName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
