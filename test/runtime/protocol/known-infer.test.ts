import { expect } from "chai";
import * as fc from "fast-check";

import type { Pipeline } from "../../../runtime/model/pipeline.ts";
import type { ElementType } from "../../../runtime/model/tensor.ts";
import { readJob } from "../../../runtime/protocol/infer.ts";
import { readInferBody } from "../../../runtime/protocol/infer-body.ts";
import { KnownInfer } from "../../../runtime/protocol/known-infer.ts";
import type { ReadInfer } from "../../../runtime/protocol/known-infer.ts";

const pipeline = (names: readonly string[], type: ElementType = "float32"): Pipeline => ({
  inputs: names.map((name) => ({ name, type, shape: [-1, -1] })),
  outputs: [{ name: "y", type: "float32", shape: [-1, 1] }],
  run: async () => [],
  close: async () => undefined,
});

/** As the endpoint reads what is not known. Throws for what is no request. */
function readWhole(text: string, to: Pipeline): ReadInfer {
  const { inputs, ...asked } = readInferBody(JSON.parse(text), new Uint8Array());
  return { asked, job: readJob({ ...asked, inputs }, to, true) };
}

/** What is known once `texts` came one after the other. */
function knowing(texts: readonly string[], to: Pipeline): KnownInfer {
  const known = new KnownInfer(to);
  for (const text of texts) {
    const body = Buffer.from(text);
    const whole = readWhole(text, to);
    if (known.read(body) === undefined) known.learn(body, whole.asked, whole.job);
  }
  return known;
}

const says = ({ asked: { id, outputs, isBinary }, job }: ReadInfer): object => ({
  id,
  outputs,
  isBinary: isBinary("y"),
  ...job,
});

const tensor = (name: string, data: readonly unknown[], rest: object = {}): object => ({
  name,
  shape: [1, data.length],
  datatype: "FP32",
  ...rest,
  data,
});
const request = (data: readonly unknown[], rest: object = {}): string =>
  JSON.stringify({ ...rest, inputs: [tensor("x", data)] });

describe("A v2 request that differs from an earlier one in its numbers only", () => {
  it("is known, and says what it would say if it were read whole", () => {
    const rest = { id: "7", parameters: { binary_data_output: true }, outputs: [{ name: "y" }] };
    const known = knowing([request([1, 2, 3], rest)], pipeline(["x"]));
    const text = request([-0.5, 1e300, 123_456_789.123_456_78], rest);
    expect(says(known.read(Buffer.from(text))!)).to.deep.equal(says(readWhole(text, pipeline(["x"]))));
  });

  it("may have several inputs, and spaces wherever JSON has them", () => {
    const texts = [
      [1, 2],
      [3.5, 4],
    ].map(([a, b]) => JSON.stringify({ inputs: [tensor("a", [a]), tensor("b", [b, 0])] }, undefined, "\t"));
    const known = knowing(texts.slice(0, 1), pipeline(["a", "b"]));
    expect(known.read(Buffer.from(texts[1]!))!.job.inputs).to.deep.equal([[3.5], [4, 0]]);
  });

  const KNOWN = request([1, 2]);
  for (const [title, text] of [
    ["has more numbers", request([1, 2, 3])],
    ["has fewer numbers", request([1])],
    ["has something else than numbers", request([1, null])],
    ["is nested", request([[1, 2]])],
    ["is for another input", KNOWN.replace('"x"', '"y"')],
    ["has another shape", KNOWN.replace("[1,2]", "[2,1]")],
    ["says more", request([1, 2], { id: "1" })],
    ["is cut off", KNOWN.slice(0, -1)],
    ["goes on", `${KNOWN} `],
    ["is no JSON", KNOWN.replace("[1,2]}", "[1,,2]}")],
    ["is empty", ""],
  ] as const) {
    it(`is not known when it ${title}`, () => {
      const known = knowing([KNOWN], pipeline(["x"]));
      expect(known.read(Buffer.from(KNOWN))).not.to.equal(undefined);
      expect(known.read(Buffer.from(text))).to.equal(undefined);
    });
  }

  for (const [title, text, to] of [
    [
      "of integers, which not every number is",
      JSON.stringify({ inputs: [tensor("x", [1], { datatype: "INT64" })] }),
      pipeline(["x"], "int64"),
    ],
    ["of nested lists", JSON.stringify({ inputs: [{ ...tensor("x", [[1, 2]]), shape: [1, 2] }] }), pipeline(["x"])],
    [
      "in another order than the model's",
      JSON.stringify({ inputs: [tensor("b", [1]), tensor("a", [1])] }),
      pipeline(["a", "b"]),
    ],
    [
      "with a list that is no input's",
      JSON.stringify({ inputs: [tensor("x", [1], { parameters: { data: [1] } })] }),
      pipeline(["x"]),
    ],
    [
      "with data that are given twice",
      `{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1],"data":[1]}]}`,
      pipeline(["x"]),
    ],
    [
      "whose lists look like another's",
      `{"inputs":[{"name":"a","shape":[1,1],"datatype":"FP32","data":[1],"data":[1]},{"name":"b","shape":[1,1],"datatype":"FP32","\\u0064ata":[1]}]}`,
      pipeline(["a", "b"]),
    ],
    ["with much else", request([1], { parameters: { note: "x".repeat(16_384) } }), pipeline(["x"])],
    [
      "with a text that looks like a list",
      JSON.stringify({ id: '"data":[1]', inputs: [{ ...tensor("x", [[1]]), shape: [1, 1] }] }),
      pipeline(["x"]),
    ],
  ] as const) {
    it(`is never known ${title}`, () => {
      expect(knowing([text], to).read(Buffer.from(text))).to.equal(undefined);
    });
  }

  it("is learnt anew when clients change, but ever less often while that is of no use", () => {
    const texts = Array.from({ length: 100 }, (_, id) => request([1, 2], { id: String(id) }));
    const known = knowing(texts, pipeline(["x"]));
    const latest = texts.findLastIndex((text) => known.read(Buffer.from(text)));
    expect(latest).to.be.within(1, 98);

    const { asked, job } = readWhole(KNOWN, pipeline(["x"]));
    known.learn(Buffer.from(KNOWN), asked, job);
    expect(known.read(Buffer.from(KNOWN)), "the latest was of use").not.to.equal(undefined);
  });

  it("stays known beside a few others that come by turns, and beside ever new ones", () => {
    const kinds = ["a", "b", "c", "d"].map((id) => request([1, 2], { id }));
    const byTurns = knowing(Array.from({ length: 100 }, () => kinds).flat(), pipeline(["x"]));
    for (const kind of kinds) expect(byTurns.read(Buffer.from(kind)), kind).not.to.equal(undefined);

    const nested = JSON.stringify({ inputs: [{ ...tensor("x", [[1, 2]]), shape: [1, 2] }] });
    const amongOthers = knowing([KNOWN, KNOWN, ...Array.from({ length: 100 }, () => nested)], pipeline(["x"]));
    expect(amongOthers.read(Buffer.from(KNOWN))).not.to.equal(undefined);

    const amongNew = Array.from({ length: 100 }, (_, id) => [KNOWN, request([1, 2], { id: String(id) })]).flat();
    expect(knowing(amongNew, pipeline(["x"])).read(Buffer.from(KNOWN))).not.to.equal(undefined);
  });

  it("never says anything else than when it is read whole, whatever came before", () => {
    const to = pipeline(["a", "b"]);
    const numbers = fc.array(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()), {
      minLength: 1,
      maxLength: 3,
    });
    const inputs = fc.tuple(numbers, numbers, fc.boolean()).map(([a, b, swapped]) => {
      const both = [tensor("a", a), tensor("b", b)];
      return swapped ? both.toReversed() : both;
    });
    const texts = fc
      .tuple(inputs, fc.constantFrom({}, { id: "x" }, { parameters: { data: [1] } }), fc.constantFrom(undefined, 1))
      .map(([sent, rest, indent]) => JSON.stringify({ ...rest, inputs: sent }, undefined, indent));
    fc.assert(
      fc.property(fc.array(texts, { minLength: 2, maxLength: 12 }), (all) => {
        const known = new KnownInfer(to);
        for (const text of all) {
          const body = Buffer.from(text);
          const whole = readWhole(text, to);
          const read = known.read(body);
          if (read) expect(says(read)).to.deep.equal(says(whole));
          else known.learn(body, whole.asked, whole.job);
        }
      }),
      { numRuns: 500 },
    );
  });
});
