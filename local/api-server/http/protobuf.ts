import { unsupportedMediaType } from "../api-error.ts";
import { isObject, type JsonObject } from "../objects.ts";
import type { Schema } from "../schema/schema.ts";

/**
 * Protobuf request bodies. Stock clients send some kinds in no other form (`kubectl create deployment|namespace|configmap`,
 * Helm's release Secrets). Field numbers stand in the kinds' schemas; answers are always JSON, which those clients accept.
 */

/** The four bytes that begin every Kubernetes protobuf body; a runtime.Unknown follows. */
const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** Finds the schema of a kind; undefined for kinds that are not known. */
export type SchemaOf = (apiVersion: string, kind: string) => Schema | undefined;

/** Decodes a body into the object that its JSON form would be. */
export function decodeProtobuf(body: Buffer, schemaOf: SchemaOf): JsonObject {
  if (!body.subarray(0, magic.length).equals(magic)) throw refused("a body without the Kubernetes prefix");
  let apiVersion = "";
  let kind = "";
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, bytes } of wireFields(body.subarray(magic.length))) {
    if (number === 1) {
      for (const part of wireFields(bytes)) {
        if (part.number === 1) apiVersion = part.bytes.toString();
        else if (part.number === 2) kind = part.bytes.toString();
      }
    } else if (number === 2) raw = bytes;
  }
  const schema = unstoredKinds[kind] ?? schemaOf(apiVersion, kind);
  if (schema?.["x-kubernetes-proto"] === undefined) throw refused(`kind ${kind}`);
  return { apiVersion, kind, ...decodeMessage(raw, schema) };
}

function refused(what: string): Error {
  const error = unsupportedMediaType(["application/json", "application/yaml"]);
  error.message += ` (${what} is not accepted as protobuf here)`;
  return error;
}

const text: Schema = { type: "string" };

function message(fields: Record<string, [number, Schema]>): Schema {
  const entries = Object.entries(fields);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, [, schema]]) => [name, schema])),
    "x-kubernetes-proto": Object.fromEntries(entries.map(([name, [number]]) => [name, number])),
  };
}

/** Kinds that are sent but never stored. */
const unstoredKinds: Record<string, Schema> = {
  DeleteOptions: message({
    gracePeriodSeconds: [1, { type: "integer" }],
    preconditions: [2, message({ uid: [1, text], resourceVersion: [2, text] })],
    orphanDependents: [3, { type: "boolean" }],
    propagationPolicy: [4, text],
    dryRun: [5, { type: "array", items: text }],
  }),
  SelfSubjectAccessReview: message({
    spec: [
      2,
      message({
        resourceAttributes: [
          1,
          message({
            namespace: [1, text],
            verb: [2, text],
            group: [3, text],
            version: [4, text],
            resource: [5, text],
            subresource: [6, text],
            name: [7, text],
          }),
        ],
        nonResourceAttributes: [2, message({ path: [1, text], verb: [2, text] })],
      }),
    ],
  }),
  SelfSubjectRulesReview: message({ spec: [2, message({ namespace: [1, text] })] }),
};

interface WireField {
  number: number;
  /** The value of a varint field. */
  integer: bigint;
  /** The content of a length-delimited field. */
  bytes: Buffer;
}

const none = Buffer.alloc(0);

function* wireFields(body: Buffer): Generator<WireField> {
  let position = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = body[position++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw refused("a truncated message");
  };
  while (position < body.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        yield { number, integer: varint(), bytes: none };
        break;
      case 1:
        position += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (position + length > body.length) throw refused("a truncated message");
        yield { number, integer: 0n, bytes: body.subarray(position, position + length) };
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

/** Decodes a message; `outer` is the number of the field of a Go struct that JSON inlines. */
function decodeMessage(bytes: Buffer, schema: Schema, outer = ""): JsonObject {
  const decoded: JsonObject = {};
  const names = fieldNames(schema);
  for (const wire of wireFields(bytes)) {
    const number = `${outer}${wire.number}`;
    const name = names.get(number);
    const field = name === undefined ? undefined : schema.properties?.[name];
    if (name !== undefined && field) decoded[name] = decodeField(wire, field, decoded[name]);
    else if (outer === "") Object.assign(decoded, decodeInlined(wire, schema, names));
  }
  for (const [name, value] of Object.entries(decoded)) if (isUnset(name, value)) delete decoded[name];
  return decoded;
}

/** Pointers in Go, for which false is not the same as nothing. */
const meaningfulFalse = new Set([
  "automountServiceAccountToken",
  "enableServiceLinks",
  "allocateLoadBalancerNodePorts",
]);
/** No pointers in Go, so that 0 is nothing. */
const meaninglessZero = new Set([
  "hostPort",
  "nodePort",
  "healthCheckNodePort",
  "minReadySeconds",
  "generation",
  "observedGeneration",
  "count",
]);

/** Go writes the zero value of every field that is no pointer; JSON leaves it out. */
function isUnset(name: string, value: unknown): boolean {
  if (value === "" || value === null) return true;
  return (value === false && !meaningfulFalse.has(name)) || (value === 0 && meaninglessZero.has(name));
}

function decodeInlined(wire: WireField, schema: Schema, names: ReadonlyMap<string, string>): JsonObject {
  const outer = `${wire.number}.`;
  return [...names.keys()].some((number) => number.startsWith(outer)) ? decodeMessage(wire.bytes, schema, outer) : {};
}

const namesBySchema = new WeakMap<object, ReadonlyMap<string, string>>();

function fieldNames(schema: Schema): ReadonlyMap<string, string> {
  const numbers = schema["x-kubernetes-proto"] ?? {};
  let names = namesBySchema.get(numbers);
  if (names === undefined) {
    names = new Map(Object.entries(numbers).map(([name, number]) => [String(number), name]));
    namesBySchema.set(numbers, names);
  }
  return names;
}

function decodeField(wire: WireField, schema: Schema, before: unknown): unknown {
  if (schema.type === "array") {
    return [...(Array.isArray(before) ? (before as unknown[]) : []), decodeValue(wire, schema.items ?? {})];
  }
  if (typeof schema.additionalProperties !== "object") return decodeValue(wire, schema);
  const entry: { key: string; value: unknown } = { key: "", value: "" };
  for (const part of wireFields(wire.bytes)) {
    if (part.number === 1) entry.key = part.bytes.toString();
    else entry.value = decodeValue(part, schema.additionalProperties);
  }
  return { ...(isObject(before) && before), [entry.key]: entry.value };
}

function decodeValue({ integer, bytes }: WireField, schema: Schema): unknown {
  if (schema["x-kubernetes-int-or-string"]) return decodeIntOrString(bytes);
  if (schema.oneOf) return [...wireFields(bytes)].find(({ number }) => number === 1)?.bytes.toString() ?? "0"; // a Quantity
  switch (schema.type ?? "") {
    case "boolean":
      return integer !== 0n;
    case "integer":
      return Number(BigInt.asIntN(64, integer));
    case "string":
      if (schema.format === "byte") return bytes.toString("base64");
      return schema.format === "date-time" ? decodeTime(bytes) : bytes.toString();
    default:
      return decodeMessage(bytes, schema);
  }
}

function decodeIntOrString(bytes: Buffer): number | string {
  const parts = new Map([...wireFields(bytes)].map((field) => [field.number, field]));
  const isText = parts.get(1)?.integer === 1n;
  return isText ? (parts.get(3)?.bytes.toString() ?? "") : Number(BigInt.asIntN(32, parts.get(2)?.integer ?? 0n));
}

/** A time that is not set has no fields; null says so in JSON. */
function decodeTime(bytes: Buffer): string | null {
  const seconds = [...wireFields(bytes)].find(({ number }) => number === 1)?.integer;
  return seconds === undefined
    ? null
    : new Date(Number(BigInt.asIntN(64, seconds)) * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
