import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

const run = promisify(execFile);

/** In the project, so that the libraries that are not part of the bundle are found. */
const FOLDER = join("dist", `test-${process.pid}`);

describe("The bundle of the runtime", () => {
  before(() => run(process.execPath, ["scripts/bundle-runtime.ts", FOLDER]));
  after(() => rm(FOLDER, { recursive: true, force: true }));

  it("takes from Node's modules and from ONNX Runtime only what it uses", async () => {
    for (const file of ["main.js", "inference-worker.js"]) {
      const imports = (await readFile(join(FOLDER, file), "utf8")).match(/^import .* from "[^.].*$/gm);
      expect(imports).to.deep.equal(['import { createRequire } from "node:module";']);
    }
  });

  it("is started without the libraries that few need", async () => {
    const files = new Set<string>();
    const visit = async (file: string): Promise<void> => {
      if (files.has(file)) return;
      files.add(file);
      const text = await readFile(join(FOLDER, file), "utf8");
      for (const [, imported = ""] of text.matchAll(/(?:from|^import) "\.\/([^"]+)"/gm)) await visit(imported);
      for (const [, part = ""] of text.matchAll(/import\("\.\/((?:serve|pod)-[^"]+)"\)/g)) await visit(part);
    };
    await visit("main.js");
    const texts = await Promise.all([...files].map((file) => readFile(join(FOLDER, file), "utf8")));
    const parts = texts.flatMap((text) => [...text.matchAll(/^\/\/ (runtime|node_modules)\/([^/\n]+)/gm)]);
    expect(parts.map(([, , part]) => part)).to.include.members(["served-model.ts", "pino"]);
    const libraries = parts.filter(([, folder]) => folder === "node_modules").map(([, , library]) => library);
    for (const library of ["zod", "express", "undici", "prom-client", "yaml"]) {
      expect(libraries).to.not.include(library);
    }
  });

  it("serves, in a thread of its own and over gRPC too, and ends when it is told to", async () => {
    const { stdout } = await run(
      process.execPath,
      ["scripts/warm-runtime.ts", join(FOLDER, "main.js"), "examples/loan/2.0.0"],
      { env: { PATH: process.env["PATH"] ?? "", INLINE_RUN_MS: "0", PROCESSES: "1" } },
    );
    expect(stdout).to.include('"thread":true').and.to.include('"msg":"listening for gRPC"').and.to.include('"stopped"');
  });
});
