import { expect } from "chai";
import * as fc from "fast-check";

import { LoadError } from "../../runtime/load-error.ts";
import { terminationMessage } from "../../runtime/termination-message.ts";

describe("The termination message", () => {
  it("is one JSON line with reason, message and permanence", () => {
    const line = terminationMessage(new LoadError("DigestMismatch", "loading s3://ml/loan/2: …"));
    expect(line).to.match(/^[^\n]*\n$/);
    expect(JSON.parse(line)).to.deep.equal({
      reason: "DigestMismatch",
      message: "loading s3://ml/loan/2: …",
      permanent: true,
    });
  });

  it("is worth a retry only when the source was unavailable", () => {
    expect(JSON.parse(terminationMessage(new LoadError("SourceUnavailable", "x")))).to.include({ permanent: false });
    expect(JSON.parse(terminationMessage(new LoadError("InvalidModel", "x")))).to.include({ permanent: true });
  });

  it("stays JSON within the 4096 bytes that Kubernetes keeps, whatever the message", () => {
    const unit = fc.constantFrom("a", '"', "\n", "ü", "😀", "\u0000", "\\");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 9000, size: "max" }), (message) => {
        const line = terminationMessage(new LoadError("InvalidModel", message));
        const read = (JSON.parse(line) as { message: string }).message;
        return (
          Buffer.byteLength(line) <= 4096 &&
          (read === message || (read.endsWith("…") && message.startsWith(read.slice(0, -1))))
        );
      }),
      { numRuns: 50 },
    );
  });
});
