import { expect } from "chai";

import { readConfig, usage } from "../../../runtime/config.ts";
import { parseSinkAddress, shownSink } from "../../../runtime/prediction-log/sink-address.ts";

describe("The address of a prediction log", () => {
  const shown: [address: string, shown: string][] = [
    ["stdout", "stdout"],
    ["file:///var/log/predictions%20of%20v1.jsonl", "file:///var/log/predictions of v1.jsonl"],
    ["http://broker.knative/default?sig=SECRET", "http://broker.knative/default"],
    ["https://events.example:8443/a/b", "https://events.example:8443/a/b"],
  ];
  for (const [address, expected] of shown) {
    it(`may be ${address}, and is shown without its query`, () => {
      expect(shownSink(parseSinkAddress(address))).to.equal(expected);
    });
  }

  const refused: [address: string, why: RegExp][] = [
    ["stderr", /expected stdout/],
    ["s3://bucket/SECRET", /expected stdout/],
    ["ftp://SECRET@host/", /expected stdout/],
    ["file://host/SECRET", /absolute path to a file/],
    ["file:///folder/", /absolute path to a file/],
    ["file:///SECRET%2Fa", /absolute path to a file/],
    ["http://SECRET:SECRET@host/", /credentials do not belong/],
    ["http://169.254.169.254/latest/SECRET", /169\.254\.169\.254 is a link-local address/],
    ["http://0xA9FEA9FE/", /169\.254\.169\.254 is a link-local address/],
    ["http://[fe80::1]/", /link-local/],
    ["http://[::ffff:169.254.169.254]/", /link-local/],
    ["http://[fd00:ec2::254]/", /link-local/],
    ["https://", /expected stdout/],
  ];
  for (const [address, why] of refused) {
    it(`must not be ${address}, which is not repeated`, () => {
      const read = (): unknown => readConfig({ MODEL_URI: "/model", LOG_PREDICTIONS_SINK: address });
      expect(read).to.throw(why).with.property("message").that.does.not.include("SECRET");
    });
  }

  it("comes with a share and with names, as a list or as JSON", () => {
    const read = (sample: string, redact: string): unknown =>
      readConfig({ MODEL_URI: "/model", LOG_PREDICTIONS_SAMPLE: sample, LOG_PREDICTIONS_REDACT: redact });
    expect(read(".25", "a, b,,c d")).to.deep.include({
      logPredictionsSink: undefined,
      logPredictionsSample: 0.25,
      logPredictionsRedact: ["a", "b", "c d"],
    });
    expect(read("1e-3", '["a,b","c"]')).to.deep.include({
      logPredictionsSample: 0.001,
      logPredictionsRedact: ["a,b", "c"],
    });
    expect(() => read("1.5", "[1]"))
      .to.throw("LOG_PREDICTIONS_SAMPLE")
      .with.property("message")
      .that.includes("LOG_PREDICTIONS_REDACT");
    expect(usage()).to.include("LOG_PREDICTIONS_SINK");
  });
});
