import { expect } from "chai";

import { InferError } from "../../../runtime/protocol/infer-error.ts";
import { readInferBody } from "../../../runtime/protocol/infer-body.ts";

const NOTHING = new Uint8Array();
const TENSOR = { name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] };

describe("The body of a v2 request", () => {
  it("is read with what it may leave out, and with what nobody knows", () => {
    const least = readInferBody({ inputs: [TENSOR] }, NOTHING);
    expect(least).to.deep.include({ id: undefined, inputs: [TENSOR], outputs: undefined });
    expect(least.isBinary("y")).to.equal(false);
    const most = readInferBody(
      {
        id: "7",
        parameters: { binary_data_output: true, priority: 1 },
        inputs: [{ ...TENSOR, parameters: { content_type: "np" }, later: null }],
        outputs: [{ name: "y", parameters: { binary_data: false } }, { name: "z" }],
        later: null,
      },
      NOTHING,
    );
    expect(most).to.deep.include({ id: "7", inputs: [TENSOR], outputs: ["y", "z"] });
    expect(["y", "z"].map(most.isBinary)).to.deep.equal([false, true]);
    expect(readInferBody({ inputs: [], outputs: [] }, NOTHING).outputs).to.equal(undefined);
  });

  const input = (change: object): object => ({ inputs: [TENSOR, { ...TENSOR, ...change }] });
  const output = (change: object): object => ({ inputs: [TENSOR], outputs: [{ name: "y", ...change }] });
  for (const [title, json, error] of [
    ["null", null, "the body: expected an object"],
    ["a list", [TENSOR], "the body: expected an object"],
    ["an id that is a number", { id: 7, inputs: [] }, "id: expected a text of at most 1024 characters"],
    ["an id that is too long", { id: "x".repeat(1025), inputs: [] }, "id: expected a text of at most 1024 characters"],
    ["no inputs", {}, "inputs: expected a list of at most 1024 tensors"],
    ["inputs by name", { inputs: { x: TENSOR } }, "inputs: expected a list of at most 1024 tensors"],
    [
      "too many inputs",
      { inputs: Array.from({ length: 1025 }, () => TENSOR) },
      "inputs: expected a list of at most 1024 tensors",
    ],
    ["an input that is null", { inputs: [null] }, "inputs.0: expected an object"],
    ["an input without a name", input({ name: undefined }), "inputs.1.name: expected a text"],
    ["a shape that is a number", input({ shape: 2 }), /^inputs\.1\.shape: expected a list of at most 16 whole numbers/],
    ["a size below 0", input({ shape: [-1, 2] }), /^inputs\.1\.shape: /],
    ["a size with a fraction", input({ shape: [1.5] }), /^inputs\.1\.shape: /],
    ["a size beyond what is exact", input({ shape: [2 ** 53] }), /^inputs\.1\.shape: /],
    ["a size in words", input({ shape: ["2"] }), /^inputs\.1\.shape: /],
    ["too many dimensions", input({ shape: Array(17).fill(1) }), /^inputs\.1\.shape: /],
    ["a datatype that is none", input({ datatype: 1 }), "inputs.1.datatype: expected a text"],
    ["data that are a text", input({ data: "12" }), "inputs.1.data: expected a list"],
    ["data that are null", input({ data: null }), "inputs.1.data: expected a list"],
    ["parameters that are null", input({ parameters: null }), "inputs.1.parameters: expected an object"],
    [
      "a number of bytes below 0",
      input({ data: undefined, parameters: { binary_data_size: -1 } }),
      "inputs.1.parameters.binary_data_size: expected a number of bytes",
    ],
    ["an output without a name", output({ name: 1 }), "outputs.0.name: expected a text"],
    [
      "an output that is binary perhaps",
      output({ parameters: { binary_data: 1 } }),
      "outputs.0.parameters.binary_data: expected true or false",
    ],
    [
      "answers that are binary perhaps",
      { inputs: [], parameters: { binary_data_output: "yes" } },
      "parameters.binary_data_output: expected true or false",
    ],
    ["parameters in a list", { inputs: [], parameters: [] }, "parameters: expected an object"],
  ] as const) {
    it(`is refused with the place of the mistake: ${title}`, () => {
      expect(() => readInferBody(json, NOTHING)).to.throw(InferError, error);
    });
  }
});
