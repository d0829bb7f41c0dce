import { expect } from "chai";

import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";

const INFER = "/v2/models/model/infer";

/** A row of each type, in the protocol's binary form. */
const ROWS: [type: string, datatype: string, bytes: Uint8Array][] = [
  ["bool", "BOOL", Uint8Array.of(1, 0)],
  ["int8", "INT8", bytesOf(Int8Array.of(-128, 127))],
  ["int16", "INT16", bytesOf(Int16Array.of(-32_768, 32_767))],
  ["int32", "INT32", bytesOf(Int32Array.of(-2_147_483_648, 2_147_483_647))],
  ["int64", "INT64", bytesOf(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))],
  ["uint8", "UINT8", Uint8Array.of(0, 255)],
  ["uint16", "UINT16", bytesOf(Uint16Array.of(0, 65_535))],
  ["uint32", "UINT32", bytesOf(Uint32Array.of(0, 4_294_967_295))],
  ["uint64", "UINT64", bytesOf(BigUint64Array.of(0n, 2n ** 64n - 1n))],
  ["float", "FP32", bytesOf(Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY))],
  ["double", "FP64", bytesOf(Float64Array.of(0.1, Number.POSITIVE_INFINITY))],
  ["string", "BYTES", strings("", "süß")],
];

interface Sent {
  name: string;
  shape: number[];
  datatype: string;
  parameters: { binary_data_size: number };
}

interface BinaryAnswer {
  readonly status: number;
  readonly json: { outputs: (Sent & { data?: unknown[] })[]; error?: string };
  /** By output. */
  readonly bytes: Readonly<Record<string, Uint8Array>>;
}

const PLACES: [title: string, environment: Record<string, string>][] = [
  ["Binary tensors over REST", {}],
  ["Binary tensors over REST to a model in a thread of its own", { INLINE_RUN_MS: "0" }],
];
for (const [title, environment] of PLACES)
  describe(title, () => {
    const serving = new Serving({ "model.onnx": graph("identity") }, environment);
    const inputs = ROWS.map(([type, datatype, bytes]) => sent(`in_${type}`, datatype, [1, 2], bytes));
    const bytes = ROWS.map(([, , bytes]) => bytes);

    it("carry every datatype there and back, to the bit", async () => {
      const answer = await infer(serving, { inputs, parameters: { binary_data_output: true } }, bytes);
      expect(answer.status, answer.json.error).to.equal(200);
      for (const [type, datatype, row] of ROWS) {
        expect(answer.json.outputs).to.deep.include(sent(`out_${type}`, datatype, [1, 2], row));
        expect(Buffer.from(answer.bytes[`out_${type}`]!)).to.deep.equal(Buffer.from(row));
      }
    });

    it("stand beside tensors in JSON, each output in the form that was asked for it", async () => {
      const json = { ...inputs[0], parameters: undefined, data: [true, false] };
      const answer = await infer(
        serving,
        {
          inputs: [json, ...inputs.slice(1)],
          outputs: [{ name: "out_bool", parameters: { binary_data: true } }, { name: "out_int8" }],
        },
        bytes.slice(1),
      );
      expect(answer.json.outputs.map(({ name }) => name)).to.deep.equal(["out_bool", "out_int8"]);
      expect(answer.bytes["out_bool"]).to.deep.equal(Uint8Array.of(1, 0));
      expect(answer.json.outputs[1]?.data).to.deep.equal([-128, 127]);
    });

    it("are answered in JSON unless asked for otherwise", async () => {
      const answer = await infer(serving, { inputs, outputs: [{ name: "out_string" }] }, bytes);
      expect(answer.json.outputs[0]?.data).to.deep.equal(["", "süß"]);
    });

    it("are null in JSON where they are NaN or infinite, and decimal strings beyond 2^53", async () => {
      const outputs = ["float", "double", "int64", "uint64"].map((type) => ({ name: `out_${type}` }));
      const answer = await infer(serving, { inputs, outputs }, bytes);
      expect(answer.json.outputs.map(({ data }) => data)).to.deep.equal([
        [null, null],
        [0.1, null],
        ["-9223372036854775808", "9223372036854775807"],
        [0, "18446744073709551615"],
      ]);
    });

    it("share a run with the rows of other clients, and come back to whom they belong", async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, client) => {
          const mine = bytesOf(Float32Array.of(client, -client));
          const body = {
            inputs: [...inputs.filter(({ name }) => name !== "in_float"), sent("in_float", "FP32", [1, 2], mine)],
            outputs: [{ name: "out_float", parameters: { binary_data: true } }],
          };
          return infer(serving, body, [...bytes.filter((_, index) => ROWS[index]![0] !== "float"), mine]);
        }),
      );
      answers.forEach((answer, client) => {
        expect(Buffer.from(answer.bytes["out_float"]!), String(client)).to.deep.equal(
          Buffer.from(bytesOf(Float32Array.of(client, -client))),
        );
      });
    });

    describe("are refused with 400, saying why:", () => {
      const changed = (type: string, raw: Uint8Array, change: Partial<Sent> = {}): [object, Uint8Array[]] => [
        {
          inputs: ROWS.map(([name, datatype, row]) =>
            name === type
              ? { ...sent(`in_${name}`, datatype, [1, 2], raw), ...change }
              : sent(`in_${name}`, datatype, [1, 2], row),
          ),
        },
        ROWS.map(([name, , row]) => (name === type ? raw : row)),
      ];
      const table: [title: string, [body: object, bytes: Uint8Array[]], error: RegExp][] = [
        ["too few bytes", changed("float", new Uint8Array(7)), /in_float has 7 bytes, but 2 elements of FP32 take 8/],
        [
          "a shape of more elements than there are bytes",
          changed("string", strings("a", "b"), { shape: [1_000_000_000_000, 2] }),
          /in_string has 10 bytes, which end before/,
        ],
        [
          "a text that is cut off",
          changed("string", strings("a", "bc").subarray(0, 10)),
          /end before its 2 elements do/,
        ],
        ["a text too many", changed("string", strings("a", "b", "c")), /its 2 elements end after 10/],
        ["bytes that are no text", changed("string", Uint8Array.of(1, 0, 0, 0, 255, 0, 0, 0, 0)), /is not valid UTF-8/],
        ["a boolean that is neither", changed("bool", Uint8Array.of(1, 2)), /element 1 is no BOOL: byte 2/],
        [
          "a size beyond the body",
          changed("string", strings("a", "b"), { parameters: { binary_data_size: 1000 } }),
          /end within input in_string/,
        ],
        ["bytes that are nobody's", [{ inputs }, [...bytes, Uint8Array.of(0)]], /1\d\d bytes follow the JSON, but/],
        [
          "an input in both forms",
          [{ inputs: [{ ...inputs[0], data: [true, false] }, ...inputs.slice(1)] }, bytes],
          /in_bool needs either data or/,
        ],
      ];
      for (const [title, [body, raw], error] of table) {
        it(title, async () => {
          const { status, json } = await infer(serving, body, raw);
          expect(json.error).to.match(error);
          expect(status).to.equal(400);
        });
      }

      for (const header of ["1000000", "-1", "x", ""]) {
        it(`the header ${JSON.stringify(header)}`, async () => {
          const { status, json } = await serving.post(INFER, "{}", { "inference-header-content-length": header });
          expect(status).to.equal(400);
          expect(json["error"]).to.match(/inference-header-content-length must be/);
        });
      }
    });
  });

describe("16-bit floats", () => {
  const serving = new Serving({ "model.onnx": graph("halves") });

  it("come in binary form and in JSON", async () => {
    const row = bytesOf(Float16Array.of(0.5, 65_504));
    const sentRow = sent("x", "FP16", [1, 2], row);
    const { json, bytes } = await infer(serving, { inputs: [sentRow], parameters: { binary_data_output: true } }, [
      row,
    ]);
    expect(json.outputs).to.deep.equal([sent("y", "FP16", [1, 2], row)]);
    expect(Buffer.from(bytes["y"]!)).to.deep.equal(Buffer.from(row));

    const inJson = { name: "x", datatype: "FP16", shape: [2, 2], data: [0.5, 65_504, null, -2] };
    const answer = await serving.post(INFER, { inputs: [inJson] });
    expect(answer.json["outputs"]).to.deep.equal([{ ...inJson, name: "y" }]);
  });

  it("are fields of /predict where the model has columns of them", async () => {
    const { json } = await serving.post("/predict", { f0: 1.5, f1: -2 });
    expect(json["prediction"]).to.deep.equal([1.5, -2]);
    expect((await serving.post("/predict", { f0: 1e5, f1: 0 })).status).to.equal(422);
  });
});

async function infer(serving: Serving, body: object, raw: readonly Uint8Array[]): Promise<BinaryAnswer> {
  const json = Buffer.from(JSON.stringify(body));
  const response = await fetch(serving.url(INFER), {
    method: "POST",
    headers: { "content-type": "application/octet-stream", "inference-header-content-length": String(json.length) },
    body: Buffer.concat([json, ...raw]),
  });
  const answer = Buffer.from(await response.arrayBuffer());
  const jsonBytes = Number(response.headers.get("inference-header-content-length") ?? answer.length);
  const parsed = JSON.parse(answer.toString("utf8", 0, jsonBytes)) as BinaryAnswer["json"];
  let position = jsonBytes;
  const bytes: Record<string, Uint8Array> = {};
  for (const { name, parameters } of parsed.outputs ?? []) {
    if (parameters === undefined) continue;
    bytes[name] = new Uint8Array(answer.subarray(position, (position += parameters.binary_data_size)));
  }
  expect(position, "bytes of the answer").to.equal(answer.length);
  return { status: response.status, json: parsed, bytes };
}

function sent(name: string, datatype: string, shape: number[], { length }: Uint8Array): Sent {
  return { name, shape, datatype, parameters: { binary_data_size: length } };
}

function bytesOf({ buffer }: { buffer: ArrayBufferLike }): Uint8Array {
  return new Uint8Array(buffer);
}

function strings(...texts: readonly string[]): Uint8Array {
  return Buffer.concat(
    texts.map((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return Buffer.concat([length, Buffer.from(text)]);
    }),
  );
}
