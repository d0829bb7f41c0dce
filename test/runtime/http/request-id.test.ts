import { expect } from "chai";

import { requestId } from "../../../runtime/http/request-id.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("The id of a request", () => {
  it("is a UUID of version 7 that no other request has, however fast they come, and that sorts by time", () => {
    const began = Date.now();
    const ids = Array.from({ length: 100_000 }, () => requestId({}));
    const ended = Date.now();
    expect(new Set(ids)).to.have.length(ids.length);
    expect(ids.every((id) => UUID_V7.test(id))).to.equal(true);
    const times = ids.map((id) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
    expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
    expect(times[0]).to.be.within(began, ended);
    expect(times.at(-1)).to.be.within(began, ended);
  });

  it("is the caller's when that can stand in a log line", () => {
    expect(requestId({ "x-request-id": "order 7/b" })).to.equal("order 7/b");
    for (const given of ["", " x", "a\nb", "ä", "x".repeat(129)]) {
      expect(requestId({ "x-request-id": given })).to.match(UUID_V7);
    }
  });
});
