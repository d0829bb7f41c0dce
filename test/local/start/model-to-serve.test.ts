import { expect } from "chai";
import * as fc from "fast-check";
import { resourceName, rowOf } from "../../../local/start/model-to-serve.ts";
import { curlLine } from "../../../local/start/next-commands.ts";

describe("the name of a folder's ModelDeployment", () => {
  for (const [folder, name] of [
    ["churn", "churn"],
    ["My Model_2", "my-model-2"],
    ["1.0.0", "model-1-0-0"],
    ["--x--", "model-x"],
    ["Größe", "gr-e"],
    ["a".repeat(60), "a".repeat(38)],
    ["日本", "model"],
  ] as const)
    it(`is ${name} for ${folder}`, () => expect(resourceName(folder)).to.equal(name));

  it("is always a DNS label of at most 38 characters that starts with a letter", () =>
    fc.assert(fc.property(fc.string(), (folder) => /^[a-z](?:[a-z0-9-]{0,36}[a-z0-9])?$/.test(resourceName(folder)))));
});

describe("the printed curl line", () => {
  it("survives a shell: values are quoted, quotes too", () => {
    const row = { note: "it's" };
    expect(curlLine({ url: "http://127.0.0.1:8080", row, stickyHeader: "x-user-id" })).to.equal(
      `curl -s http://127.0.0.1:8080/predict -H 'content-type: application/json' -H 'x-user-id: alice' -d '{"note":"it'\\''s"}'`,
    );
  });

  it("has a value of the right type for every feature", () => {
    const features = [
      "plain",
      { name: "text", type: "string" },
      { name: "flag", type: "boolean" },
      { name: "count", type: "integer" },
    ];
    expect(rowOf(features)).to.deep.equal({ plain: 1, text: "a", flag: true, count: 1 });
  });
});
