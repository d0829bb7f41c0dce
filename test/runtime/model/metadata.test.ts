import { truncate } from "node:fs/promises";
import { join } from "node:path";

import { expect } from "chai";

import { readMetadata } from "../../../runtime/model/metadata.ts";
import { Scratch } from "../support/scratch.ts";

describe("metadata.json", () => {
  const scratch = new Scratch();

  it("is refused, not read, when it is too large", async () => {
    const folder = await scratch.folder({ "metadata.json": "{" });
    await truncate(join(folder, "metadata.json"), 3 * 1024 ** 3);
    const failure = await readMetadata(folder, "here").catch((error: unknown) => error);
    expect(failure).to.include({
      reason: "InvalidModel",
      message: "loading here: metadata.json has 3221225472 bytes, at most 4194304 are read",
    });
  });

  it("may be absent", async () => {
    expect(await readMetadata(await scratch.folder({}), "here")).to.deep.equal({});
  });

  it("keeps what it does not know, takes null for absent, and a number for a version", async () => {
    const features = [{ name: "a", type: null, unit: "EUR" }];
    const output = { activation: null, threshold: 0.5 };
    const document = { version: 3, target: null, owner: { team: null }, features, output };
    expect(await readMetadata(await scratch.folder({ "metadata.json": document }), "here")).to.deep.equal({
      version: "3",
      owner: { team: null },
      features: [{ name: "a", unit: "EUR" }],
      output: { threshold: 0.5 },
    });
  });

  for (const [title, content, message] of [
    ["features of one name", { features: ["a", { name: "a" }] }, /features: two features have the same name/],
    [
      "an unknown type",
      { features: ["a", "b", { name: "c", type: "float64" }] },
      /metadata\.json: features\[2\]\.type: expected one of "number", "integer", "string", "boolean", got "float64"$/,
    ],
    ["a feature without a name", { features: [{ type: "number" }] }, /features\[0\]\.name: is missing$/],
    ["a feature that is a number", { features: [1] }, /features\[0\]: expected a name or \{"name", .*\}, got 1$/],
    ["a version that is a list", { version: [1] }, /version: expected 1 to 128 characters, or a number, got \[1\]$/],
    ["metrics that are a list", { metrics: [] }, /metrics: expected object, got \[\]$/],
    [
      "NaN, as Python writes it",
      '{"metrics": {"auc": NaN}}',
      /is not JSON: .*; JSON has no NaN and no Infinity: write/,
    ],
    [
      "many mistakes",
      { task: 1, target: 2, model_type: 3, created_at: 4, classes: 5, metrics: 6, output: 7 },
      /: expected string, got 3; .*; and 2 more$/,
    ],
    ["classes of one label", { classes: [1, "1"] }, /classes: two classes have the same label/],
    ["a single class", { classes: ["yes"] }, /classes: /],
    ["a list", "[]", /the document: expected object, got \[\]$/],
  ] as const) {
    it(`is refused with ${title}`, async () => {
      const folder = await scratch.folder({ "metadata.json": content });
      const error: unknown = await readMetadata(folder, "here").catch((error: unknown) => error);
      expect(error).to.include({ reason: "InvalidModel" }).and.have.property("message").that.matches(message);
    });
  }
});
