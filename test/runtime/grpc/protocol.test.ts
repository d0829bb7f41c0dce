import { Client, credentials, status as Status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect } from "chai";

import * as messages from "../../../runtime/grpc/inference-messages.ts";
import { embedded, many, message, one, optional, string } from "../../../runtime/grpc/protobuf.ts";
import { unaryCall } from "../support/grpc-call.ts";
import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";

const PACKAGE = "/inference.GRPCInferenceService";
const asIs = (bytes: Buffer): Buffer => bytes;
type Request = Parameters<typeof messages.MODEL_INFER_REQUEST.encode>[0];
type Response = ReturnType<typeof messages.MODEL_INFER_RESPONSE.decode>;
type Contents = NonNullable<NonNullable<Request["inputs"]>[number]["contents"]>;

const EXAMPLES: [type: string, datatype: string, contents: Contents, raw: Uint8Array][] = [
  ["bool", "BOOL", { bool_contents: [true, false] }, Uint8Array.of(1, 0)],
  ["int8", "INT8", { int_contents: [-128, 127] }, bytesOf(Int8Array.of(-128, 127))],
  ["int16", "INT16", { int_contents: [-32_768, 32_767] }, bytesOf(Int16Array.of(-32_768, 32_767))],
  ["int32", "INT32", { int_contents: [-(2 ** 31), 2 ** 31 - 1] }, bytesOf(Int32Array.of(-(2 ** 31), 2 ** 31 - 1))],
  [
    "int64",
    "INT64",
    { int64_contents: [-(2n ** 63n), 2n ** 63n - 1n] },
    bytesOf(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
  ],
  ["uint8", "UINT8", { uint_contents: [0, 255] }, Uint8Array.of(0, 255)],
  ["uint16", "UINT16", { uint_contents: [0, 65_535] }, bytesOf(Uint16Array.of(0, 65_535))],
  ["uint32", "UINT32", { uint_contents: [0, 2 ** 32 - 1] }, bytesOf(Uint32Array.of(0, 2 ** 32 - 1))],
  ["uint64", "UINT64", { uint64_contents: [0n, 2n ** 64n - 1n] }, bytesOf(BigUint64Array.of(0n, 2n ** 64n - 1n))],
  ["float", "FP32", { fp32_contents: [-Infinity, 0.5] }, bytesOf(Float32Array.of(-Infinity, 0.5))],
  ["double", "FP64", { fp64_contents: [0.1, Infinity] }, bytesOf(Float64Array.of(0.1, Infinity))],
  ["string", "BYTES", { bytes_contents: ["", "süß"] }, Buffer.from("\0\0\0\0\x05\0\0\0süß")],
];

/** Calls of the enclosing suite. */
class Calls {
  readonly #serving: Serving;
  #client: Client | undefined;

  constructor(serving: Serving) {
    this.#serving = serving;
    after(() => this.#client?.close());
  }

  get client(): Client {
    this.#client ??= new Client(`127.0.0.1:${this.#serving.grpcPort}`, credentials.createInsecure());
    return this.#client;
  }

  call(method: string, bytes: Buffer): Promise<Buffer> {
    return unaryCall(this.client, `${PACKAGE}/${method}`, bytes);
  }

  async infer(request: Request): Promise<Response> {
    const bytes = messages.MODEL_INFER_REQUEST.encode({ model_name: "model", ...request });
    return messages.MODEL_INFER_RESPONSE.decode(await this.call("ModelInfer", bytes));
  }

  async refusal(request: Request): Promise<{ code: Status; details: string }> {
    const error = await this.infer(request).then(
      () => undefined,
      (thrown: ServiceError) => thrown,
    );
    expect(error, "a refusal").to.not.equal(undefined);
    return { code: error?.code ?? Status.OK, details: error?.details ?? "" };
  }
}

describe("The Open Inference Protocol over gRPC", () => {
  const serving = new Serving({ "model.onnx": graph("identity") }, { GRPC_PORT: "0", MODEL_VERSION: "7" });
  const calls = new Calls(serving);
  const typed = EXAMPLES.map(([type, datatype, contents]) => ({
    name: `in_${type}`,
    datatype,
    shape: [1n, 2n],
    contents,
  }));
  const bare = typed.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
  const raw = EXAMPLES.map(([, , , bytes]) => bytes);

  it("carries every datatype there and back, in typed contents", async () => {
    const { outputs, raw_output_contents } = await calls.infer({ inputs: typed });
    expect(raw_output_contents).to.have.length(0);
    outputs.forEach((output, index) => {
      const [type, datatype, contents] = EXAMPLES[index]!;
      expect(output).to.deep.include({ name: `out_${type}`, datatype, shape: [1n, 2n] });
      expect(output.contents).to.deep.include(contents);
    });
    expect(outputs).to.have.length(EXAMPLES.length);
  });

  it("carries every datatype there and back, in raw contents", async () => {
    const { outputs, raw_output_contents } = await calls.infer({ inputs: bare, raw_input_contents: raw });
    expect(raw_output_contents.map((bytes) => Buffer.from(bytes).toString("hex"))).to.deep.equal(
      raw.map((bytes) => Buffer.from(bytes).toString("hex")),
    );
    for (const { contents } of outputs) expect(contents).to.equal(undefined);
  });

  it("answers the outputs that were asked for, in their order, with the caller's id, whatever the parameters", async () => {
    const parameters = [
      { key: "priority", value: { int64_param: 3n } },
      { key: "caller", value: { string_param: "test" } },
    ];
    const answer = await calls.infer({
      inputs: typed,
      outputs: [{ name: "out_string" }, { name: "out_bool" }],
      id: "order-66",
      model_version: "7",
      parameters,
    });
    expect(answer).to.include({ model_name: "model", model_version: "7", id: "order-66" });
    expect(answer.outputs.map(({ name }) => name)).to.deep.equal(["out_string", "out_bool"]);
    expect(answer.parameters[0]).to.deep.include({ key: "model_variant" });
  });

  const change = (index: number, fields: object): Request["inputs"] =>
    typed.map((input, at) => (at === index ? { ...input, ...fields } : input));
  for (const [title, request, code, details] of [
    ["another version", { inputs: typed, model_version: "8" }, Status.NOT_FOUND, /version 7 only/],
    ["an output that there is not", { inputs: typed, outputs: [{ name: "none" }] }, Status.INVALID_ARGUMENT, /none/],
    ["an input twice", { inputs: [...typed, typed[0]!] }, Status.INVALID_ARGUMENT, /in_bool/],
    ["another datatype", { inputs: change(9, { datatype: "FP64" }) }, Status.INVALID_ARGUMENT, /in_float.*FP32/],
    ["no datatype", { inputs: change(9, { datatype: "" }) }, Status.INVALID_ARGUMENT, /in_float.*no datatype/],
    ["too few elements", { inputs: change(9, { shape: [1n, 3n] }) }, Status.INVALID_ARGUMENT, /in_float/],
    ["too many rows", { inputs: change(9, { shape: [2n, 2n] }) }, Status.INVALID_ARGUMENT, /in_float/],
    [
      "no rows",
      { inputs: typed.map((input) => ({ ...input, shape: [0n, 2n], contents: {} })) },
      Status.INVALID_ARGUMENT,
      /is empty/,
    ],
    ["sizes beyond all memory", { inputs: change(9, { shape: [2n ** 62n, 2n] }) }, Status.INVALID_ARGUMENT, /in_float/],
    [
      "one raw tensor too few",
      { inputs: bare, raw_input_contents: raw.slice(1) },
      Status.INVALID_ARGUMENT,
      /12 inputs/,
    ],
    [
      "a raw tensor too short",
      { inputs: bare, raw_input_contents: raw.map((bytes) => bytes.subarray(1)) },
      Status.INVALID_ARGUMENT,
      /in_bool/,
    ],
    [
      "text that is no UTF-8",
      {
        inputs: bare,
        raw_input_contents: [...raw.slice(0, 11), Buffer.from("01000000ff00000000", "hex")],
      },
      Status.INVALID_ARGUMENT,
      /in_string/,
    ],
  ] as [string, Request, Status, RegExp][]) {
    it(`refuses ${title}`, async () => {
      const refusal = await calls.refusal(request);
      expect(refusal.details).to.match(details);
      expect(refusal.code).to.equal(code);
    });
  }

  it("describes server and model, and is ready", async () => {
    const metadata = messages.MODEL_METADATA_RESPONSE.decode(
      await calls.call("ModelMetadata", messages.MODEL_METADATA_REQUEST.encode({ name: "model" })),
    );
    expect(metadata).to.deep.include({ name: "model", versions: ["7"], platform: "onnx_onnxv1" });
    expect(metadata.inputs.map(({ name, datatype, shape }) => [name, datatype, shape])).to.deep.equal(
      EXAMPLES.map(([type, datatype]) => [`in_${type}`, datatype, [-1n, 2n]]),
    );
    const server = messages.SERVER_METADATA_RESPONSE.decode(await calls.call("ServerMetadata", Buffer.alloc(0)));
    expect(server.extensions).to.include("binary_tensor_data");
    for (const [name, version, ready] of [
      ["model", "", true],
      ["model", "7", true],
      ["model", "8", false],
      ["other", "", false],
    ] as const) {
      const asked = messages.MODEL_READY_REQUEST.encode({ name, version });
      const answered = await calls.call("ModelReady", asked);
      expect(messages.MODEL_READY_RESPONSE.decode(answered).ready, `${name} ${version}`).to.equal(ready);
    }
  });

  for (const name of ["grpc.reflection.v1", "grpc.reflection.v1alpha"]) {
    it(`lists its services by ${name}`, async () => {
      const asked = message("Request", { list_services: optional(7, string) });
      const service = message("Service", { name: one(1, string) });
      const list = message("List", { service: many(1, embedded(service)) });
      const answered = message("Response", { list_services_response: optional(6, embedded(list)) });
      const path = `/${name}.ServerReflection/ServerReflectionInfo`;
      const stream = calls.client.makeBidiStreamRequest<Buffer, Buffer>(path, asIs, asIs);
      stream.write(asked.encode({ list_services: "*" }));
      stream.end();
      const [bytes] = (await stream.toArray()) as Buffer[];
      const services = answered.decode(bytes ?? Buffer.alloc(0)).list_services_response?.service ?? [];
      expect(services.map((each) => each.name)).to.have.members([
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
      ]);
    });
  }
});

describe("16-bit floats over gRPC", () => {
  const serving = new Serving({ "model.onnx": graph("halves") }, { GRPC_PORT: "0" });
  const calls = new Calls(serving);
  const input = { name: "x", datatype: "FP16", shape: [1n, 2n] };

  it("come and go in raw contents", async () => {
    const bytes = Buffer.from("003800fc", "hex"); // 0.5 and -Infinity
    const { outputs, raw_output_contents } = await calls.infer({ inputs: [input], raw_input_contents: [bytes] });
    expect(outputs[0]).to.deep.include({ name: "y", datatype: "FP16", shape: [1n, 2n] });
    expect(Buffer.from(raw_output_contents[0] ?? []).toString("hex")).to.equal(bytes.toString("hex"));
  });

  it("are refused in typed contents, which have no place for them", async () => {
    const refusal = await calls.refusal({ inputs: [{ ...input, contents: { fp32_contents: [1, 2] } }] });
    expect(refusal.code).to.equal(Status.INVALID_ARGUMENT);
    expect(refusal.details).to.match(/send it in raw_input_contents/);
  });
});

function bytesOf({ buffer }: { buffer: ArrayBufferLike }): Uint8Array {
  return new Uint8Array(buffer);
}
