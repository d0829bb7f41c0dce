import { mkdtempSync } from "node:fs";
import { readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitFor } from "../support/wait-for.ts";

export type LoggedLine = Readonly<Record<string, unknown>>;

/** A prediction log in a folder of the enclosing suite, which exists at once: a server's environment names it. */
export class LogFile {
  readonly folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
  readonly path = join(this.folder, "predictions.jsonl");
  readonly sink = `file://${this.path}`;

  constructor() {
    after(() => rm(this.folder, { recursive: true, force: true }));
  }

  /** Every line of the file, whole ones only. */
  async lines(path = this.path): Promise<LoggedLine[]> {
    const text = await readFile(path, "utf8");
    return text.split("\n").flatMap((line, index, all) => {
      return index === all.length - 1 ? [] : [JSON.parse(line) as LoggedLine];
    });
  }

  /** The line of a request, once it is there. */
  async lineOf(requestId: string): Promise<LoggedLine> {
    let found: LoggedLine | undefined;
    await waitFor(async () => {
      found = (await this.lines()).find((line) => line["request_id"] === requestId);
      return found !== undefined;
    });
    return found as LoggedLine;
  }

  files(): Promise<string[]> {
    return readdir(this.folder);
  }
}
