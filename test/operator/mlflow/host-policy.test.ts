import { expect } from "chai";
import { HostDeniedError, HostPolicy } from "../../../operator/mlflow/host-policy.ts";

const cases: readonly [patterns: string[], host: string, isAllowed: boolean][] = [
  [["*"], "mlflow.mlops.svc", true],
  [["mlflow.example.com"], "MLflow.Example.com", true],
  [["mlflow.example.com"], "other.example.com", false],
  [["*.mlops.svc"], "mlflow.mlops.svc", true],
  [["*.mlops.svc"], "mlops.svc", false],
  [["*.mlops.svc"], "mlflow.mlops.svc.evil.com", false],
  [["a.b", "*.c"], "x.c", true],
  [["*"], "10.0.0.7", true],
  [["*"], "169.254.169.254", false],
  [["169.254.169.254"], "169.254.169.254", false],
  [["*"], "[fe80::1]", false],
  [["*"], "[::ffff:169.254.169.254]", false],
  [["*"], "[fd00:ec2::254]", false],
  [["*"], "127.0.0.1", false],
  [["*"], "0.0.0.0", false],
  [["*"], "[::1]", false],
  [["*"], "[::ffff:7f00:1]", false],
  [["127.0.0.1"], "127.0.0.1", true],
];

describe("HostPolicy", () => {
  for (const [patterns, host, isAllowed] of cases)
    it(`${isAllowed ? "lets" : "does not let"} ${patterns.join(",")} reach ${host}`, () => {
      const check = (): void => new HostPolicy(patterns).check(host);
      if (isAllowed) check();
      else expect(check).to.throw(HostDeniedError);
    });

  it("looks at the addresses of a name when connecting, one or all of them", async () => {
    const resolved = (policy: HostPolicy, all: boolean): Promise<unknown> =>
      new Promise((resolve) => policy.lookup("localhost", { all }, (error, address) => resolve(error ?? address)));
    expect(await resolved(new HostPolicy(["*"]), true)).to.be.instanceOf(HostDeniedError);
    expect(await resolved(new HostPolicy(["*"]), false)).to.be.instanceOf(HostDeniedError);
    expect(await resolved(new HostPolicy(["localhost"]), true)).to.be.an("array");
  });
});
