import { expect } from "chai";

import { ConfigError, readConfig, usage } from "../../runtime/config.ts";

describe("The runtime's configuration", () => {
  it("needs nothing but the model's place", () => {
    const config = readConfig({ MODEL_URI: "/model" });
    expect(config).to.include({
      modelUri: "/model",
      port: 8000,
      maxBodyBytes: 10 * 1024 ** 2,
      maxQueue: 1024,
      drainSeconds: 5,
    });
    expect(config.modelSha256).to.equal(undefined);
    expect(config).to.be.frozen;
  });

  it("takes MODEL_PATH for MODEL_URI, and an empty variable for an unset one", () => {
    expect(readConfig({ MODEL_PATH: "/model", MODEL_URI: "", PORT: "" })).to.include({
      modelUri: "/model",
      port: 8000,
    });
  });

  it("takes a digest with or without its algorithm", () => {
    const digest = "AB".repeat(32);
    expect(readConfig({ MODEL_URI: "/model", MODEL_SHA256: `sha256:${digest}` }).modelSha256).to.equal(
      digest.toLowerCase(),
    );
  });

  it("reports everything that is wrong at once", () => {
    const wrong = { PORT: "http", DRAIN_SECONDS: "-1", LOG_LEVEL: "loud", MODEL_SHA256: "abc", ALLOW_HTTP: "perhaps" };
    expect(() => readConfig(wrong))
      .to.throw(ConfigError)
      .with.property("message")
      .that.includes("MODEL_URI is not set")
      .and.includes('PORT is "http": expected a whole number from 0 to 65535')
      .and.includes('DRAIN_SECONDS is "-1"')
      .and.includes('LOG_LEVEL is "loud": expected one of fatal, error')
      .and.includes("MODEL_SHA256")
      .and.includes("ALLOW_HTTP");
  });

  it("does not choose between two places", () => {
    expect(() => readConfig({ MODEL_URI: "/a", MODEL_PATH: "/b" })).to.throw(
      ConfigError,
      "MODEL_URI and MODEL_PATH differ",
    );
  });

  it("has processes look for requests without sleeping only where each has a whole CPU, unless told otherwise", () => {
    const microseconds = (variables: Record<string, string>, cpus?: number): number =>
      readConfig({ MODEL_URI: "/model", ...variables }, cpus).busyPollMicroseconds;
    expect([undefined, 0.5, 1, 2.5].map((cpus) => microseconds({}, cpus))).to.deep.equal([200, 0, 200, 200]);
    expect(microseconds({ PROCESSES: "2" }, 1)).to.equal(0);
    expect(microseconds({ BUSY_POLL_MICROSECONDS: "50" }, 0.5)).to.equal(50);
    expect(microseconds({ BUSY_POLL_MICROSECONDS: "0" })).to.equal(0);
  });

  it("explains every variable in --help", () => {
    for (const variable of [
      "MODEL_URI",
      "MODEL_SHA256",
      "PORT",
      "MAX_BODY_BYTES",
      "AWS_ENDPOINT_URL",
      "TERMINATION_MESSAGE_PATH",
    ]) {
      expect(usage()).to.include(`  ${variable} `);
    }
  });
});
