import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "chai";
import * as fc from "fast-check";
import type * as z from "zod";

import { GOLDEN } from "../../../runtime/model/golden-schema.ts";
import { METADATA } from "../../../runtime/model/metadata-schema.ts";
import { plainGolden, plainMetadata } from "../../../runtime/model/plain-documents.ts";
import { mutants } from "../support/mutants.ts";

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

const DOCUMENTS = [
  { name: "metadata", schema: METADATA as z.ZodType, plain: plainMetadata, published: compiled("metadata") },
  { name: "golden", schema: GOLDEN as z.ZodType, plain: plainGolden, published: compiled("golden") },
] as const;

/** In strict mode: an unknown keyword in the schema itself is an error. */
function compiled(name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  return ajv.compile(readJson(`schemas/${name}.schema.json`) as object);
}

for (const { name, schema, plain, published } of DOCUMENTS) {
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

    it("is not needed for the documents of the examples, nor for those that it shows", () => {
      const { examples: shown } = published.schema as { examples: unknown[] };
      for (const document of [...examples.map(({ document }) => document), ...shown]) {
        expect(plain(document), JSON.stringify(document)).to.deep.equal(schema.parse(document));
      }
    });

    it("makes the same of whatever is read without it", () => {
      let reads = 0;
      fc.assert(
        fc.property(mutants(examples.map(({ document }) => document)), (mutant) => {
          const read = plain(mutant);
          if (read === undefined) return;
          reads += 1;
          expect(schema.parse(mutant), JSON.stringify(mutant)).to.deep.equal(read);
        }),
        { numRuns: 2000 },
      );
      expect(reads).to.be.greaterThan(100);
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
