import { expect } from "chai";
import { Normaliser } from "../normalise.ts";

/** What an answer with this body is compared as. */
const normalised = (normaliser: Normaliser, body: object): unknown =>
  normaliser.answer({ code: 200, headers: { contentType: "application/json", warnings: "" }, body });
const versionOfNextObject = (normaliser: Normaliser): unknown =>
  normalised(normaliser, { metadata: { resourceVersion: "77" } });

describe("what two API servers' answers are compared as", () => {
  for (const [what, body] of [
    ["a list", { items: [], metadata: { resourceVersion: "41" } }],
    ["a table", { rows: [], metadata: { resourceVersion: "41" } }],
    ["a bookmark", { type: "BOOKMARK", object: { kind: "ConfigMap", metadata: { resourceVersion: "41" } } }],
  ] as const)
    it(`has no place for the version of ${what}, which other clients move on`, () => {
      const [moved, unmoved] = [new Normaliser(), new Normaliser()];
      for (const normaliser of [moved, unmoved]) normalised(normaliser, { metadata: { resourceVersion: "40" } });
      const after = JSON.parse(JSON.stringify(body).replace("41", "40")) as object;
      expect(normalised(moved, body)).to.deep.equal(normalised(unmoved, after));
      expect(versionOfNextObject(moved)).to.deep.equal(versionOfNextObject(unmoved));
    });

  it("keeps which objects have the same version", () => {
    const normaliser = new Normaliser();
    const of = (resourceVersion: string): unknown => normalised(normaliser, { metadata: { resourceVersion } });
    expect(of("40")).to.deep.equal(of("40"));
    expect(of("41")).not.to.deep.equal(of("40"));
  });
});
