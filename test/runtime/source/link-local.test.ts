import { expect } from "chai";

import { lookupAllowed } from "../../../runtime/source/link-local.ts";

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
