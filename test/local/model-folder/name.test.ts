import { expect } from "chai";
import * as fc from "fast-check";
import { resourceName } from "../../../local/model-folder/name.ts";

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
