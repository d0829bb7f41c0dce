import { expect } from "chai";

import { HostPolicy } from "../../../operator/mlflow/host-policy.ts";
import { isLinkLocal, lookupAllowed } from "../../../runtime/source/link-local.ts";

describe("A link-local address", () => {
  for (const [address, isDenied] of [
    ["169.253.255.255", false],
    ["169.254.0.0", true],
    ["169.254.255.255", true],
    ["169.255.0.0", false],
    ["::ffff:169.254.169.254", true],
    ["fe80::", true],
    ["febf:ffff::1", true],
    ["fec0::", false],
    ["fd00:ec2::254", true],
    ["fd00:ec2::253", false],
  ] as const)
    it(`is ${isDenied ? "" : "not "}${address}, for the operator too`, () => {
      expect(isLinkLocal(address)).to.equal(isDenied);
      const check = (): void => new HostPolicy([address]).check(address);
      if (isDenied) expect(check).to.throw(/link-local/);
      else check();
    });
});

describe("The lookup of a name", () => {
  const found = (name: string, all: boolean): Promise<unknown> =>
    new Promise((resolve) => lookupAllowed(name, { all }, (error, addresses) => resolve(error ?? addresses)));

  for (const all of [true, false]) {
    it(`refuses link-local addresses, whether ${all ? "all are" : "one is"} asked for`, async () => {
      expect(String(await found("169.254.169.254", all))).to.match(/a link-local address/);
      expect(String(await found("fe80::1", all))).to.match(/a link-local address/);
    });
  }

  it("gives others as they are, and errors too", async () => {
    expect(await found("127.0.0.1", false)).to.equal("127.0.0.1");
    expect(await found("127.0.0.1", true)).to.deep.equal([{ address: "127.0.0.1", family: 4 }]);
    expect(await found("no-such-host.invalid", true)).to.be.instanceOf(Error);
  });
});
