import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "chai";
import * as fc from "fast-check";
import type * as z from "zod";

import { GOLDEN } from "../../../runtime/model/golden-schema.ts";
import { METADATA } from "../../../runtime/model/metadata-schema.ts";

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

const DOCUMENTS = [
  { name: "metadata", schema: METADATA as z.ZodType, published: compiled("metadata") },
  { name: "golden", schema: GOLDEN as z.ZodType, published: compiled("golden") },
] as const;

/** In strict mode: an unknown keyword in the schema itself is an error. */
function compiled(name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  return ajv.compile(readJson(`schemas/${name}.schema.json`) as object);
}

for (const { name, schema, published } of DOCUMENTS) {
  describe(`schemas/${name}.schema.json`, () => {
    const examples = globSync(`examples/*/*/${name}.json`).map((path) => ({ path, document: readJson(path) }));

    it(`accepts the ${name}.json of every example`, () => {
      expect(examples).to.have.length.greaterThan(4);
      for (const { path, document } of examples) {
        expect(published(document), `${path}: ${JSON.stringify(published.errors)}`).to.equal(true);
      }
    });

    it("accepts the examples that it shows", () => {
      const { examples: shown } = published.schema as { examples: unknown[] };
      expect(shown).to.have.length.greaterThan(0);
      for (const document of shown) expect(published(document), JSON.stringify(published.errors)).to.equal(true);
    });

    it("says of changed documents what the runtime says", () => {
      fc.assert(
        fc.property(mutants(examples.map(({ document }) => document)), (mutant) => {
          const read = schema.safeParse(mutant);
          // What JSON Schema cannot say, such as that no two features have one name, only the runtime says.
          const beyond = !read.success && read.error.issues.every(({ code }) => code === "custom");
          if (!beyond) expect(published(mutant), JSON.stringify(mutant)).to.equal(read.success);
        }),
        { numRuns: 2000 },
      );
    });

    it("is where its $id says, and a copy of it is in the Python package", () => {
      const { $id, $schema } = published.schema as { $id: string; $schema: string };
      expect($schema).to.equal("https://json-schema.org/draft/2020-12/schema");
      expect(basename(new URL($id).pathname)).to.equal(`${name}.schema.json`);
      expect(basename(dirname(new URL($id).pathname))).to.equal("schemas");
      expect(readJson(`python/src/slipway/schemas/${name}.schema.json`)).to.deep.equal(published.schema);
    });
  });
}

const KEYS = (
  "version features classes output task metrics target model_type created_at name type nullable missing input tensor " +
  "activation threshold tolerance absolute rows prediction probability probabilities __proto__ constructor else"
).split(" ");

/** Documents in which up to three values were replaced, removed or added, wherever they are. */
function mutants(documents: readonly unknown[]): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, true, 0, -1, 0.5, 2, 1e300, "", "a", "number", "softmax", "classification", [], {}),
    fc.constantFrom<unknown>([1], ["a", "a"], ["a", "b"], [1, "1"], [{ name: "a" }, "a"], [{ name: "" }], { name: 1 }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const key = fc.constantFrom(...KEYS);
  const change = fc.record({ at: fc.array(fc.nat(30), { maxLength: 4 }), key, value, remove: fc.boolean() });
  return fc
    .tuple(fc.constantFrom(...documents), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([document, changes]) => changes.reduce(changed, document));
}

interface Change {
  /** Which member at each level, of those that there are. */
  readonly at: readonly number[];
  readonly key: string;
  readonly value: unknown;
  readonly remove: boolean;
}

function changed(document: unknown, { at: [place, ...deeper], key, value, remove }: Change): unknown {
  if (typeof document !== "object" || document === null) return value;
  const members = Object.entries(document) as [string, unknown][];
  if (place === undefined || members.length === 0) return withMember(document, members, [key, value]);
  const at = place % members.length;
  const [name, old] = members[at] as [string, unknown];
  if (deeper.length === 0 && remove) return withMember(document, members.toSpliced(at, 1));
  const inner = deeper.length === 0 ? value : changed(old, { at: deeper, key, value, remove });
  return withMember(document, members.with(at, [name, inner]));
}

function withMember(document: object, members: readonly [string, unknown][], added?: [string, unknown]): unknown {
  const all = added ? [...members, added] : members;
  return Array.isArray(document) ? all.map(([, member]) => member) : Object.fromEntries(all);
}
