import { expect } from "chai";
import * as fc from "fast-check";

import type { ElementType, OutputTensor } from "../../../runtime/model/tensor.ts";
import { DATATYPES } from "../../../runtime/model/tensor.ts";
import { InferWriter } from "../../../runtime/protocol/infer-answer.ts";

const identity = (name: string, version = "1", variant = "v1") => ({
  name,
  version,
  variant,
  revision: undefined,
  source: "/model",
  sha256: "",
});
const whole = (output: OutputTensor) => ({ output, shape: output.dims, first: 0, count: output.data.length });
const json = { id: undefined, outputs: undefined, isBinary: () => false };

describe("The JSON of a v2 answer", () => {
  const texts = fc.string({ unit: "grapheme", maxLength: 5 });
  const numbers = fc.array(fc.double(), { maxLength: 100 });

  it("is what JSON.stringify makes of it, and counts its bytes right", () =>
    fc.assert(
      fc.property(
        texts,
        texts,
        texts,
        fc.option(texts, { nil: undefined }),
        texts,
        numbers,
        (name, version, variant, id, output, data) => {
          const tensor: OutputTensor = { name: output, type: "float64", dims: [data.length, 1], data };
          const writer = new InferWriter(identity(name, version, variant), [
            { name: output, type: "float64", shape: [-1, 1] },
          ]);
          const answer = writer.write([whole(tensor)], { ...json, id });
          const expected = {
            model_name: name,
            model_version: version,
            id,
            parameters: { model_variant: variant },
            outputs: [
              {
                name: output,
                datatype: "FP64",
                shape: [data.length, 1],
                data: data.map((value) => (Number.isFinite(value) ? value : null)),
              },
            ],
          };
          expect(answer.json).to.equal(JSON.stringify(expected));
          if (answer.isAscii) expect(Buffer.byteLength(answer.json)).to.equal(answer.json.length);
        },
      ),
    ));

  for (const [type, data, written] of [
    ["bool", [1, 0], "[true,false]"],
    ["int64", [1n, -(2n ** 63n)], '[1,"-9223372036854775808"]'],
    ["string", ['"ä"\n', ""], '["\\"ä\\"\\n",""]'],
    ["float32", [Math.fround(0.1), Number.NaN, -0], "[0.10000000149011612,null,0]"],
  ] as const satisfies [ElementType, readonly unknown[], string][]) {
    it(`has ${type} as JSON can carry it, few or many`, () => {
      const writer = new InferWriter(identity("m"), [{ name: "y", type, shape: [-1] }]);
      for (const times of [1, 50]) {
        const all = Array.from({ length: times }, () => data).flat();
        const answer = writer.write([whole({ name: "y", type, dims: [all.length], data: all })], json);
        const [output] = (JSON.parse(answer.json) as { outputs: object[] }).outputs;
        const values = Array.from({ length: times }, () => JSON.parse(written) as unknown[]).flat();
        expect(output).to.deep.equal({ name: "y", datatype: DATATYPES[type], shape: [all.length], data: values });
        expect(answer.isAscii).to.equal(type !== "string");
      }
    });
  }

  it("has the size in place of the numbers of an output that is to be binary, whose bytes follow", () => {
    const specs = ["y", "z"].map((name) => ({ name, type: "float32", shape: [-1] }) as const);
    const tensors = specs.map(({ name, type }) => whole({ name, type, dims: [1], data: new Float32Array([2]) }));
    const answer = new InferWriter(identity("m"), specs).write(tensors, { ...json, isBinary: (name) => name === "y" });
    expect((JSON.parse(answer.json) as { outputs: object[] }).outputs).to.deep.equal([
      { name: "y", datatype: "FP32", shape: [1], parameters: { binary_data_size: 4 } },
      { name: "z", datatype: "FP32", shape: [1], data: [2] },
    ]);
    expect(Buffer.concat(answer.raw ?? []).readFloatLE()).to.equal(2);
  });
});
