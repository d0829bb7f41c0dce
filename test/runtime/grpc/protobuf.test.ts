import { expect } from "chai";
import { assert, property, uint8Array } from "fast-check";

import { MODEL_INFER_REQUEST } from "../../../runtime/grpc/inference-messages.ts";
import {
  ProtobufError,
  double,
  float,
  int32,
  int64,
  many,
  message,
  one,
  string,
  uint64,
} from "../../../runtime/grpc/protobuf.ts";

describe("The protobuf codec", () => {
  const numbers = message("test.Numbers", {
    small: one(1, int32),
    wide: one(2, int64),
    unsigned: one(3, uint64),
    floats: many(4, float),
    double: one(5, double),
    text: one(6, string),
    list: many(7, int32),
  });

  it("gives back what it wrote, extremes included", () => {
    const value = {
      small: -2_147_483_648,
      wide: -(2n ** 63n),
      unsigned: 2n ** 64n - 1n,
      floats: [0.5, Number.NEGATIVE_INFINITY],
      double: 1e300,
      text: "süß",
      list: [0, 1, -1, 300],
    };
    expect(numbers.decode(numbers.encode(value))).to.deep.equal(value);
  });

  it("writes the bytes of the specification's example, and nothing for zeros", () => {
    expect(numbers.encode({ small: 150 }).toString("hex")).to.equal("089601");
    expect(numbers.encode({ small: 0, wide: 0n, text: "", list: [] })).to.have.length(0);
  });

  it("takes repeated numbers packed or not, and skips fields that it does not know", () => {
    expect(numbers.decode(Buffer.from("3a02010238037a03616263780a", "hex")).list).to.deep.equal([1, 2, 3]);
  });

  it("reads any bytes, or says what is wrong with them", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          MODEL_INFER_REQUEST.decode(bytes);
        } catch (error) {
          if (!(error instanceof ProtobufError)) throw error;
        }
      }),
    );
  });
});
