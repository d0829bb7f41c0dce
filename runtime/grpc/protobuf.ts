import { isUtf8 } from "node:buffer";

/** Bytes that are no message of the expected type. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

/** More repeated messages than this would cost a hundred times the memory of the bytes that they came in. */
const MAX_REPEATED_MESSAGES = 4096;

type WireType = 0 | 1 | 2 | 5;

/** How the values of one type are written, without the field's tag. */
export interface FieldType<T> {
  readonly wireType: WireType;
  /** FieldDescriptorProto.Type, and the full name for messages and enums. */
  readonly descriptor: { readonly type: number; readonly typeName?: string };
  /** What a proto3 field is when it is absent. */
  readonly zero: T;
  readonly read: (reader: Reader) => T;
  readonly write: (writer: Writer, value: T) => void;
}

export interface Field<T = unknown> {
  readonly number: number;
  readonly type: FieldType<unknown>;
  readonly presence: "zero" | "undefined" | "repeated";
  readonly oneof?: string;
  /** Only ever undefined: lets the compiler know what the field holds. */
  readonly value?: T;
}

export type Fields = Readonly<Record<string, Field>>;

/** What a message of these fields looks like in memory. */
export type MessageOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never;
};

/** A message type: the codec of its bytes, and enough of a description for reflection. */
export interface MessageType<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
  readonly isMapEntry: boolean;
  /** Throws a ProtobufError. */
  decode(bytes: Uint8Array): MessageOf<F>;
  /** Fields that are left out are absent. */
  encode(message: Partial<MessageOf<F>>): Buffer;
}

/** A field that is its type's zero when absent. */
export function one<T>(number: number, type: FieldType<T>): Field<T> {
  return { number, type: type as FieldType<unknown>, presence: "zero" };
}

/** A field that is undefined when absent: a message, or an alternative of a oneof. */
export function optional<T>(number: number, type: FieldType<T>, oneof?: string): Field<T | undefined> {
  return { number, type: type as FieldType<unknown>, presence: "undefined", ...(oneof !== undefined && { oneof }) };
}

export function many<T>(number: number, type: FieldType<T>): Field<readonly T[]> {
  return { number, type: type as FieldType<unknown>, presence: "repeated" };
}

export function message<F extends Fields>(name: string, fields: F, { isMapEntry = false } = {}): MessageType<F> {
  const byNumber = new Map(Object.entries(fields).map(([key, field]) => [field.number, { key, field }]));
  const decode = (bytes: Uint8Array): MessageOf<F> => {
    const decoded: Record<string, unknown> = {};
    for (const [key, { type, presence }] of Object.entries(fields)) {
      decoded[key] = presence === "repeated" ? [] : presence === "zero" ? type.zero : undefined;
    }
    const reader = new Reader(bytes);
    while (!reader.isAtEnd) {
      const tag = reader.varint32();
      const known = byNumber.get(tag >>> 3);
      if (known === undefined) reader.skip(tag & 7);
      else readField(reader, tag & 7, known.field, decoded, known.key);
    }
    return decoded as MessageOf<F>;
  };
  return {
    name,
    fields,
    isMapEntry,
    decode,
    encode(values) {
      const writer = new Writer();
      for (const [key, field] of Object.entries(fields)) writeField(writer, field, values[key]);
      return writer.finish();
    },
  };
}

function readField(reader: Reader, wireType: number, field: Field, into: Record<string, unknown>, key: string): void {
  const { type, presence } = field;
  const isPacked = presence === "repeated" && wireType === 2 && type.wireType !== 2;
  if (!isPacked && wireType !== type.wireType) {
    throw new ProtobufError(`field ${key} has wire type ${wireType} instead of ${type.wireType}`);
  }
  if (presence !== "repeated") {
    into[key] = type.read(reader);
    return;
  }
  const list = into[key] as unknown[];
  if (isPacked) {
    const packed = new Reader(reader.bytes());
    while (!packed.isAtEnd) list.push(type.read(packed));
    return;
  }
  if (type.descriptor.type === TYPES.message && list.length >= MAX_REPEATED_MESSAGES) {
    throw new ProtobufError(`field ${key} has more than ${MAX_REPEATED_MESSAGES} messages`);
  }
  list.push(type.read(reader));
}

function writeField(writer: Writer, { number, type, presence }: Field, value: unknown): void {
  if (value === undefined || (presence === "zero" && value === type.zero)) return;
  if (presence !== "repeated") {
    writer.varint((number << 3) | type.wireType);
    type.write(writer, value);
    return;
  }
  const list = value as readonly unknown[];
  if (list.length === 0) return;
  if (type.wireType === 2) {
    for (const element of list) {
      writer.varint((number << 3) | 2);
      type.write(writer, element);
    }
    return;
  }
  const packed = new Writer();
  for (const element of list) type.write(packed, element);
  writer.varint((number << 3) | 2);
  writer.bytes(packed.finish());
}

/** Reads the primitives of the wire format. Every read throws a ProtobufError beyond the end. */
class Reader {
  readonly #buffer: Buffer;
  #position = 0;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#buffer = Buffer.from(buffer, byteOffset, length);
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#buffer.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError("a varint has more than 10 bytes");
  }

  /** The lower 32 bits, unsigned; without a BigInt for the common case of a few bytes. */
  varint32(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new ProtobufError("a varint has more than 10 bytes");
  }

  float(): number {
    return this.#take(4).readFloatLE();
  }

  double(): number {
    return this.#take(8).readDoubleLE();
  }

  /** A view of length-delimited bytes; they are not copied. */
  bytes(): Buffer {
    return this.#take(this.varint32());
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint32();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new ProtobufError(`there is no wire type ${wireType}`);
  }

  #byte(): number {
    const byte = this.#buffer[this.#position];
    if (byte === undefined) throw cutOff();
    this.#position += 1;
    return byte;
  }

  #take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#buffer.length) throw cutOff();
    const bytes = this.#buffer.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }
}

const cutOff = (): ProtobufError => new ProtobufError("the message is cut off");

/** Gathers what is written; long byte fields are copied once, at the end. */
class Writer {
  readonly #parts: Uint8Array[] = [];
  #small: number[] = [];

  varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#small.push((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.#small.push(rest);
  }

  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.#small.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#small.push(Number(rest));
  }

  fixed(bytes: Uint8Array): void {
    this.#flush();
    this.#parts.push(bytes);
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.fixed(bytes);
  }

  finish(): Buffer {
    this.#flush();
    return Buffer.concat(this.#parts);
  }

  #flush(): void {
    if (this.#small.length > 0) this.#parts.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}

/** FieldDescriptorProto.Type. */
const TYPES = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
} as const;

export const bool: FieldType<boolean> = {
  wireType: 0,
  descriptor: { type: TYPES.bool },
  zero: false,
  read: (reader) => reader.varint() !== 0n,
  write: (writer, value) => writer.varint(value ? 1 : 0),
};

export const int32: FieldType<number> = {
  wireType: 0,
  descriptor: { type: TYPES.int32 },
  zero: 0,
  read: (reader) => reader.varint32() | 0,
  write: (writer, value) => (value < 0 ? writer.varint64(BigInt(value)) : writer.varint(value)),
};

export const uint32: FieldType<number> = {
  wireType: 0,
  descriptor: { type: TYPES.uint32 },
  zero: 0,
  read: (reader) => reader.varint32(),
  write: (writer, value) => writer.varint(value),
};

export const int64: FieldType<bigint> = {
  wireType: 0,
  descriptor: { type: TYPES.int64 },
  zero: 0n,
  read: (reader) => BigInt.asIntN(64, reader.varint()),
  write: (writer, value) => writer.varint64(value),
};

export const uint64: FieldType<bigint> = {
  wireType: 0,
  descriptor: { type: TYPES.uint64 },
  zero: 0n,
  read: (reader) => reader.varint(),
  write: (writer, value) => writer.varint64(value),
};

export const float: FieldType<number> = {
  wireType: 5,
  descriptor: { type: TYPES.float },
  zero: 0,
  read: (reader) => reader.float(),
  write: (writer, value) => writer.fixed(new Uint8Array(Float32Array.of(value).buffer)),
};

export const double: FieldType<number> = {
  wireType: 1,
  descriptor: { type: TYPES.double },
  zero: 0,
  read: (reader) => reader.double(),
  write: (writer, value) => writer.fixed(new Uint8Array(Float64Array.of(value).buffer)),
};

export const string: FieldType<string> = {
  wireType: 2,
  descriptor: { type: TYPES.string },
  zero: "",
  read: readText,
  write: (writer, value) => writer.bytes(Buffer.from(value, "utf8")),
};

export const bytes: FieldType<Uint8Array> = {
  wireType: 2,
  descriptor: { type: TYPES.bytes },
  zero: new Uint8Array(0),
  read: (reader) => reader.bytes(),
  write: (writer, value) => writer.bytes(value),
};

/** Bytes that must be text: a view of each of a million of them would take a hundred times their memory. */
export const textBytes: FieldType<string> = { ...string, descriptor: bytes.descriptor };

export function enumeration(typeName: string): FieldType<number> {
  return { ...int32, descriptor: { type: TYPES.enum, typeName } };
}

export function embedded<F extends Fields>(type: MessageType<F>): FieldType<Partial<MessageOf<F>>> {
  return {
    wireType: 2,
    descriptor: { type: TYPES.message, typeName: type.name },
    zero: {},
    read: (reader) => type.decode(reader.bytes()),
    write: (writer, value) => writer.bytes(type.encode(value)),
  };
}

function readText(reader: Reader): string {
  const text = reader.bytes();
  if (!isUtf8(text)) throw new ProtobufError("a text is not valid UTF-8");
  return text.toString("utf8");
}
