import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { parseAllDocuments, stringify } from "yaml";

/** Compares objects with a file of YAML documents; with UPDATE_GOLDEN=1 it writes the file instead. */
export function expectGolden(path: string, objects: readonly unknown[]): void {
  const text = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
  if (process.env["UPDATE_GOLDEN"] === "1") {
    writeFileSync(path, text);
    return;
  }
  const expected = parseAllDocuments(readFileSync(path, "utf8")).map((document): unknown => document.toJS());
  const given = parseAllDocuments(text).map((document): unknown => document.toJS());
  expect(
    given,
    `${path}; if the change is meant, run the test with UPDATE_GOLDEN=1 and read the difference`,
  ).to.deep.equal(expected);
}
