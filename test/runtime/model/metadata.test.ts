import { expect } from "chai";

import { readMetadata } from "../../../runtime/model/metadata.ts";
import { Scratch } from "../support/scratch.ts";

describe("metadata.json", () => {
  const scratch = new Scratch();

  it("may be absent", async () => {
    expect(await readMetadata(await scratch.folder({}), "here")).to.deep.equal({});
  });

  it("keeps what it does not know, takes null for absent, and a number for a version", async () => {
    const folder = await scratch.folder({ "metadata.json": { version: 3, target: null, owner: { team: "credit" } } });
    expect(await readMetadata(folder, "here")).to.deep.equal({ version: "3", owner: { team: "credit" } });
  });

  for (const [title, content, message] of [
    ["features of one name", { features: ["a", { name: "a" }] }, /features: two features have the same name/],
    ["an unknown type", { features: [{ name: "a", type: "float" }] }, /features\.0: expected a name or/],
    ["classes of one label", { classes: [1, "1"] }, /classes: two classes have the same label/],
    ["a single class", { classes: ["yes"] }, /classes: /],
    ["a list", "[]", /the document: /],
  ] as const) {
    it(`is refused with ${title}`, async () => {
      const folder = await scratch.folder({ "metadata.json": content });
      const error: unknown = await readMetadata(folder, "here").catch((error: unknown) => error);
      expect(error).to.include({ reason: "InvalidModel" }).and.have.property("message").that.matches(message);
    });
  }
});
