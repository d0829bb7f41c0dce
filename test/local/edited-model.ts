import { cpSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LOAN = fileURLToPath(new URL("../../examples/loan/1.0.0", import.meta.url));

/** A copy of the loan example's model, edited in one step: what looks at it sees an edit whole or not at all. */
export class EditedModel {
  readonly folder: string;
  private edits = 0;

  constructor(folder: string) {
    this.folder = folder;
    cpSync(LOAN, folder, { recursive: true });
  }

  setVersion(version: string): void {
    const metadata = JSON.parse(readFileSync(join(LOAN, "metadata.json"), "utf8")) as object;
    this.write(JSON.stringify({ ...metadata, version }));
  }

  break(): void {
    this.write("no JSON");
  }

  private write(metadata: string): void {
    const draft = `${this.folder}-draft-${++this.edits}.json`;
    writeFileSync(draft, metadata);
    renameSync(draft, join(this.folder, "metadata.json"));
  }
}
