import { expect } from "chai";
import { curlLine } from "../../../local/ask/curl-line.ts";

describe("the printed curl line", () => {
  it("survives a shell: values are quoted, quotes too", () => {
    const question = { path: "/predict", body: { note: "it's" } };
    expect(curlLine({ url: "http://127.0.0.1:8080", ...question, stickyHeader: "x-user-id" })).to.equal(
      `curl -s http://127.0.0.1:8080/predict -H 'content-type: application/json' -H 'x-user-id: alice' -d '{"note":"it'\\''s"}'`,
    );
  });
});
