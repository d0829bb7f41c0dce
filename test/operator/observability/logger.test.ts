import { expect } from "chai";
import { parseLogLevels } from "../../../operator/observability/log-levels.ts";
import { createLoggers } from "../../../operator/observability/logger.ts";
import type { Loggers } from "../../../operator/observability/logger.ts";

describe("createLoggers", () => {
  function logged(levels: string, write: (logs: Loggers) => void): Record<string, unknown>[] {
    const lines: string[] = [];
    write(createLoggers(parseLogLevels(levels), { write: (line) => lines.push(line) }));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it("writes one JSON object a line: level by name, RFC 3339 time, fields, message", () => {
    const [line] = logged("info", ({ operator }) => operator.info({ key: "credit/loan" }, "reconciled"));
    expect(line).to.include({ level: "info", key: "credit/loan", msg: "reconciled" });
    expect(line!["time"]).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line).to.have.all.keys("level", "time", "key", "msg");
  });

  it("writes an error with its message, stack and causes", () => {
    const err = new Error("outer", { cause: new Error("inner") });
    const [line] = logged("info", ({ operator }) => operator.error({ err }, "failed"));
    expect(line).to.have.nested.property("err.message", "outer: inner");
    expect(line).to.have.nested.property("err.stack").that.contains("logger.test.ts");
  });

  it("says of which area a line is", () => {
    const [line] = logged("info", ({ kube }) => kube.info({}, "listed"));
    expect(line).to.include({ area: "kube", msg: "listed" });
  });

  it("leaves out what is below the level of its area", () => {
    const lines = logged("warn,kube=debug,election=error", ({ operator, kube, reconcile, election }) => {
      for (const log of [operator, kube, reconcile, election])
        for (const level of ["debug", "info", "warn", "error"] as const) log[level]({}, level);
    });
    const written = Object.groupBy(lines, ({ area }) => (typeof area === "string" ? area : "operator"));
    const levels = Object.entries(written).map(([area, of]) => [area, of?.map(({ level }) => level)]);
    expect(Object.fromEntries(levels)).to.deep.equal({
      operator: ["warn", "error"],
      kube: ["debug", "info", "warn", "error"],
      reconcile: ["warn", "error"],
      election: ["error"],
    });
  });
});

describe("parseLogLevels", () => {
  for (const [text, message] of [
    ["loud", '"loud" is no level; there are: debug, info, warn, error'],
    ["info,kube=", '"" is no level; there are: debug, info, warn, error'],
    ["info,network=debug", '"network" is no area; there are: kube, reconcile, election'],
  ] as const)
    it(`refuses ${text}`, () => expect(() => parseLogLevels(text)).to.throw(RangeError, message));

  it("takes info for what is not named", () =>
    expect(parseLogLevels("kube=debug")).to.deep.equal({ common: "info", areas: { kube: "debug" } }));
});
