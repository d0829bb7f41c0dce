import { expect } from "chai";
import { createLogger } from "../../../operator/observability/logger.ts";

describe("createLogger", () => {
  function logged(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
    const lines: string[] = [];
    write(createLogger("info", { write: (line) => lines.push(line) }));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it("writes one JSON object a line: level by name, RFC 3339 time, fields, message", () => {
    const [line] = logged((log) => log.info({ key: "credit/loan" }, "reconciled"));
    expect(line).to.include({ level: "info", key: "credit/loan", msg: "reconciled" });
    expect(line!["time"]).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line).to.have.all.keys("level", "time", "key", "msg");
  });

  it("writes an error with its message, stack and causes", () => {
    const [line] = logged((log) => log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed"));
    expect(line).to.have.nested.property("err.message", "outer: inner");
    expect(line).to.have.nested.property("err.stack").that.contains("logger.test.ts");
  });

  it("leaves out what is below its level", () => {
    expect(logged((log) => log.debug({}, "detail"))).to.deep.equal([]);
  });
});
