import { expect } from "chai";

import { LoadError } from "../../../runtime/load-error.ts";
import { resolveFeatures } from "../../../runtime/model/features.ts";
import type { TensorSpec } from "../../../runtime/model/tensor.ts";

const spec = (name: string, shape: number[] | undefined, type: TensorSpec["type"] = "float32"): TensorSpec => ({
  name,
  type,
  shape,
});
const columns = [spec("a", [-1, 1]), spec("b", [-1, 1], "int64")];
const matrix = [spec("x", [-1, 2])];

describe("The features of a model", () => {
  const fits: [
    title: string,
    declared: Parameters<typeof resolveFeatures>[0],
    inputs: TensorSpec[],
    expected: [string, string, number][],
  ][] = [
    [
      "are its inputs when nothing is declared",
      undefined,
      columns,
      [
        ["a", "number", 0],
        ["b", "integer", 1],
      ],
    ],
    [
      "are numbered when a matrix has no names",
      undefined,
      matrix,
      [
        ["f0", "number", 0],
        ["f1", "number", 0],
      ],
    ],
    [
      "are found by name, in any order",
      ["b", "a"],
      columns,
      [
        ["b", "integer", 1],
        ["a", "number", 0],
      ],
    ],
    [
      "are a matrix's columns in order",
      ["b", "a"],
      matrix,
      [
        ["b", "number", 0],
        ["a", "number", 0],
      ],
    ],
    [
      "may be more exactly typed than the graph",
      [{ name: "a", type: "integer" }, "b"],
      matrix,
      [
        ["a", "integer", 0],
        ["b", "number", 0],
      ],
    ],
    [
      "may be flags in a matrix of numbers",
      [{ name: "a", type: "boolean" }, "b"],
      matrix,
      [
        ["a", "boolean", 0],
        ["b", "number", 0],
      ],
    ],
    [
      "fill a matrix of unknown width",
      ["a", "b", "c"],
      [spec("x", [-1, -1])],
      [
        ["a", "number", 0],
        ["b", "number", 0],
        ["c", "number", 0],
      ],
    ],
    ["fill a single column of whatever name", ["a"], [spec("x", [-1, 1])], [["a", "number", 0]]],
    ["fill a vector of one value a row", ["a"], [spec("a", [-1])], [["a", "number", 0]]],
  ];
  for (const [title, declared, inputs, expected] of fits) {
    it(title, () => {
      const features = resolveFeatures(declared, inputs, "here");
      expect(features?.map(({ name, type, input }) => [name, type, input])).to.deep.equal(expected);
    });
  }

  for (const [title, inputs] of [
    ["an image", [spec("x", [-1, 3, 2, 2])]],
    ["an image of unknown size", [spec("x", [-1, -1, -1])]],
    ["a matrix of unknown width", [spec("x", [-1, -1])]],
    ["an input of unknown rank", [spec("x", undefined)]],
  ] as const) {
    it(`have no names for ${title}`, () => expect(resolveFeatures(undefined, inputs, "here")).to.equal(undefined));
  }

  const mismatches: [
    title: string,
    declared: Parameters<typeof resolveFeatures>[0],
    inputs: TensorSpec[],
    message: RegExp,
  ][] = [
    ["of another number", ["a"], matrix, /1 features \(a\), but the graph takes x: float32\[\?, 2\]/],
    ["of another name", ["a", "c"], columns, /not in metadata\.json: b/],
    ["for an image", ["a"], [spec("x", [-1, 1, 1, 1])], /x: float32\[\?, 1, 1, 1\]/],
    [
      "that are words for numbers",
      [{ name: "a", type: "string" }, "b"],
      columns,
      /a is string, but the graph takes a: float32/,
    ],
    [
      "that are numbers for whole numbers",
      ["a", { name: "b", type: "number" }],
      columns,
      /b is number, but the graph takes b: int64/,
    ],
    [
      "that may be missing where nothing can stand for it",
      ["a", { name: "b", nullable: true }],
      columns,
      /only float inputs can hold a missing value/,
    ],
  ];
  for (const [title, declared, inputs, message] of mismatches) {
    it(`are refused ${title}`, () => {
      expect(() => resolveFeatures(declared, inputs, "here"))
        .to.throw(LoadError, message)
        .with.property("reason", "SignatureMismatch");
    });
  }
});
