import { unsupportedMediaType } from "../api-error.ts";
import type { JsonObject } from "../objects.ts";

/**
 * The few messages that stock clients send only as protobuf: `kubectl create namespace|configmap`, `kubectl auth can-i` and
 * Helm's release Secrets. A table gives each message's fields by number; every other kind is refused with 415.
 */
type Field =
  | { name: string; type: "string" | "base64" | "bool" | "int" | "time" }
  | { name: string; type: "map"; value: "string" | "base64" }
  | { name: string; type: "message" | "messages"; message: string }
  | { name: string; type: "strings" };

const messages: Record<string, Record<number, Field>> = {
  ObjectMeta: {
    1: { name: "name", type: "string" },
    2: { name: "generateName", type: "string" },
    3: { name: "namespace", type: "string" },
    5: { name: "uid", type: "string" },
    6: { name: "resourceVersion", type: "string" },
    8: { name: "creationTimestamp", type: "time" },
    11: { name: "labels", type: "map", value: "string" },
    12: { name: "annotations", type: "map", value: "string" },
    13: { name: "ownerReferences", type: "messages", message: "OwnerReference" },
    14: { name: "finalizers", type: "strings" },
  },
  OwnerReference: {
    1: { name: "kind", type: "string" },
    3: { name: "name", type: "string" },
    4: { name: "uid", type: "string" },
    5: { name: "apiVersion", type: "string" },
    6: { name: "controller", type: "bool" },
    7: { name: "blockOwnerDeletion", type: "bool" },
  },
  Namespace: { 1: { name: "metadata", type: "message", message: "ObjectMeta" } },
  ConfigMap: {
    1: { name: "metadata", type: "message", message: "ObjectMeta" },
    2: { name: "data", type: "map", value: "string" },
    3: { name: "binaryData", type: "map", value: "base64" },
    4: { name: "immutable", type: "bool" },
  },
  Secret: {
    1: { name: "metadata", type: "message", message: "ObjectMeta" },
    2: { name: "data", type: "map", value: "base64" },
    3: { name: "type", type: "string" },
    4: { name: "stringData", type: "map", value: "string" },
    5: { name: "immutable", type: "bool" },
  },
  ServiceAccount: { 1: { name: "metadata", type: "message", message: "ObjectMeta" } },
  SelfSubjectAccessReview: {
    1: { name: "metadata", type: "message", message: "ObjectMeta" },
    2: { name: "spec", type: "message", message: "SelfSubjectAccessReviewSpec" },
  },
  SelfSubjectAccessReviewSpec: {
    1: { name: "resourceAttributes", type: "message", message: "ResourceAttributes" },
    2: { name: "nonResourceAttributes", type: "message", message: "NonResourceAttributes" },
  },
  ResourceAttributes: {
    1: { name: "namespace", type: "string" },
    2: { name: "verb", type: "string" },
    3: { name: "group", type: "string" },
    4: { name: "version", type: "string" },
    5: { name: "resource", type: "string" },
    6: { name: "subresource", type: "string" },
    7: { name: "name", type: "string" },
  },
  NonResourceAttributes: { 1: { name: "path", type: "string" }, 2: { name: "verb", type: "string" } },
  SelfSubjectRulesReview: {
    1: { name: "metadata", type: "message", message: "ObjectMeta" },
    2: { name: "spec", type: "message", message: "SelfSubjectRulesReviewSpec" },
  },
  SelfSubjectRulesReviewSpec: { 1: { name: "namespace", type: "string" } },
  DeleteOptions: {
    1: { name: "gracePeriodSeconds", type: "int" },
    2: { name: "preconditions", type: "message", message: "Preconditions" },
    3: { name: "orphanDependents", type: "bool" },
    4: { name: "propagationPolicy", type: "string" },
    5: { name: "dryRun", type: "strings" },
  },
  Preconditions: { 1: { name: "uid", type: "string" }, 2: { name: "resourceVersion", type: "string" } },
};

/** The four bytes that begin every Kubernetes protobuf body; a runtime.Unknown follows. */
const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, magic.length).equals(magic)) throw refused("a body without the Kubernetes prefix");
  let apiVersion = "";
  let kind = "";
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, bytes } of fields(body.subarray(magic.length))) {
    if (number === 1) {
      for (const part of fields(bytes)) {
        if (part.number === 1) apiVersion = part.bytes.toString();
        else if (part.number === 2) kind = part.bytes.toString();
      }
    } else if (number === 2) raw = bytes;
  }
  if (messages[kind] === undefined) throw refused(kind);
  return { apiVersion, kind, ...decodeMessage(raw, kind) };
}

function refused(what: string): Error {
  const error = unsupportedMediaType(["application/json", "application/yaml"]);
  error.message += ` (${what} is not accepted as protobuf here)`;
  return error;
}

interface WireField {
  number: number;
  /** The value of a varint field. */
  integer: bigint;
  /** The content of a length-delimited field. */
  bytes: Buffer;
}

function* fields(message: Buffer): Generator<WireField> {
  let position = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[position++];
      if (byte === undefined || shift > 63n) throw refused("a truncated message");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    const none = Buffer.alloc(0);
    switch (tag & 7) {
      case 0:
        yield { number, integer: varint(), bytes: none };
        break;
      case 1:
        position += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (position + length > message.length) throw refused("a truncated message");
        yield { number, integer: 0n, bytes: message.subarray(position, position + length) };
        position += length;
        break;
      }
      case 5:
        position += 4;
        break;
      default:
        throw refused("an unknown wire type");
    }
  }
}

function decodeMessage(bytes: Buffer, name: string): JsonObject {
  const decoded: JsonObject = {};
  for (const wire of fields(bytes)) {
    const field = messages[name]?.[wire.number];
    if (field) decodeField(decoded, field, wire);
  }
  return decoded;
}

function decodeField(decoded: JsonObject, field: Field, { integer, bytes }: WireField): void {
  switch (field.type) {
    case "string":
      if (bytes.length > 0) decoded[field.name] = bytes.toString();
      break;
    case "base64":
      decoded[field.name] = bytes.toString("base64");
      break;
    case "bool":
      decoded[field.name] = integer !== 0n;
      break;
    case "int":
      decoded[field.name] = Number(BigInt.asIntN(64, integer));
      break;
    case "time":
      break; // the server sets creationTimestamp itself
    case "strings":
      decoded[field.name] = [...((decoded[field.name] as string[] | undefined) ?? []), bytes.toString()];
      break;
    case "message":
      decoded[field.name] = decodeMessage(bytes, field.message);
      break;
    case "messages":
      decoded[field.name] = [
        ...((decoded[field.name] as JsonObject[] | undefined) ?? []),
        decodeMessage(bytes, field.message),
      ];
      break;
    case "map": {
      const entry = { key: "", value: Buffer.alloc(0) as Buffer };
      for (const part of fields(bytes)) {
        if (part.number === 1) entry.key = part.bytes.toString();
        else if (part.number === 2) entry.value = part.bytes;
      }
      const value = field.value === "string" ? entry.value.toString() : entry.value.toString("base64");
      decoded[field.name] = { ...(decoded[field.name] as JsonObject | undefined), [entry.key]: value };
      break;
    }
  }
}
