import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A file's content: text, bytes, an object to be written as JSON, or a copy of a fixture. */
export type Content = string | Buffer | object | Fixture;

class Fixture {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** A model of test/runtime/fixtures, by its name. */
export const graph = (name: string): Fixture => new Fixture(fixturePath(`${name}.onnx`));
export const loan = (version: string, file: string): Fixture => new Fixture(join("examples/loan", version, file));
export const fixturePath = (file: string): string => join(import.meta.dirname, "../fixtures", file);

/** A folder for the tests of the enclosing suite. */
export class Scratch {
  #root = "";
  #count = 0;

  constructor() {
    before(async () => {
      this.#root = await mkdtemp(join(tmpdir(), "slipway-test-"));
    });
    after(() => rm(this.#root, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /** A new folder with these files. */
  async folder(files: Readonly<Record<string, Content>>): Promise<string> {
    this.#count += 1;
    const folder = this.path(`folder-${this.#count}`);
    await mkdir(folder);
    for (const [name, content] of Object.entries(files)) await write(join(folder, name), content);
    return folder;
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), "utf8");
  }
}

async function write(path: string, content: Content): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (content instanceof Fixture) await copyFile(content.path, path);
  else if (typeof content === "string" || Buffer.isBuffer(content)) await writeFile(path, content);
  else await writeFile(path, JSON.stringify(content));
}
