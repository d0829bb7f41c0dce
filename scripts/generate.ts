/**
 * Writes the files that are made from code. `--check` writes nothing and fails when one is out of date.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Command } from "commander";
import { stringify } from "yaml";
import { customResourceDefinition } from "../operator/api/crd.ts";
import { GOLDEN } from "../runtime/model/golden-schema.ts";
import { METADATA } from "../runtime/model/metadata-schema.ts";
import { chartReadme } from "./generating/chart-readme.ts";
import { crdTemplate } from "./generating/crd-template.ts";
import { jsonSchema } from "./generating/json-schema.ts";
import { withSchemaTable } from "./generating/schema-table.ts";

const flags = new Command("npm run generate --")
  .description("Writes the files that are made from code.")
  .option("--check", "write nothing, and fail when one is out of date", false)
  .parse()
  .opts<{ check: boolean }>();

const notice = "Generated from operator/api by `npm run generate`. Do not edit.";
const crd = stringify(customResourceDefinition(), { lineWidth: 120, aliasDuplicateObjects: false });

const metadataSchema = jsonSchema("metadata.schema.json", METADATA);
const goldenSchema = jsonSchema("golden.schema.json", GOLDEN);

const generated: Record<string, string> = {
  "crds/modeldeployments.serving.slipway.dev.yaml": `# ${notice}\n${crd}`,
  "charts/slipway/templates/crd.yaml": `{{/* ${notice} */}}\n${crdTemplate(crd)}`,
  "charts/slipway/README.md": chartReadme(
    await readFile("charts/slipway/README.md", "utf8"),
    await readFile("charts/slipway/values.yaml", "utf8"),
  ),
  "schemas/metadata.schema.json": metadataSchema,
  "schemas/golden.schema.json": goldenSchema,
  // The Python package carries its own copies, so that it checks what it writes without this repository.
  "python/src/slipway/schemas/metadata.schema.json": metadataSchema,
  "python/src/slipway/schemas/golden.schema.json": goldenSchema,
  "docs/models.md": withSchemaTable(
    withSchemaTable(await readFile("docs/models.md", "utf8"), "metadata", metadataSchema),
    "golden",
    goldenSchema,
  ),
};

const stale: string[] = [];
for (const [path, text] of Object.entries(generated)) {
  const current = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (current === text) continue;
  if (flags.check) stale.push(path);
  else {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    console.log(`wrote ${path}`);
  }
}
if (stale.length > 0) {
  console.error(`out of date: ${stale.join(", ")}; run: npm run generate`);
  process.exitCode = 1;
}
