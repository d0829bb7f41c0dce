import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "chai";
import * as fc from "fast-check";
import type { KubeObject } from "../../../local/api-server/objects.ts";
import { StateFile, StateFileError } from "../../../local/api-server/storage/state-file.ts";
import { Storage } from "../../../local/api-server/storage/storage.ts";

const resources = ["configmaps", "models.example.com"];

interface Write {
  resource: string;
  name: string;
  /** Undefined removes the object, if it is there. */
  value: string | undefined;
}

const write: fc.Arbitrary<Write> = fc.record({
  resource: fc.constantFrom(...resources),
  name: fc.constantFrom("a", "b", "c"),
  value: fc.option(fc.string({ unit: "grapheme", maxLength: 6_000 }), { nil: undefined }),
});

describe("the state file", () => {
  let folder: string;
  let open: StateFile[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-state-"));
    open = [];
  });
  afterEach(() => {
    for (const file of open) file.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const newPath = (): string => join(mkdtempSync(join(folder, "run-")), "state.db");
  /** As a server does that was killed: the file is not closed before the end of the test. */
  const openForLater = (path: string): Storage => {
    const file = StateFile.open(path);
    open.push(file);
    return new Storage(0, file);
  };
  const stateOf = (path: string): object => {
    const file = StateFile.open(path);
    try {
      return contentOf(new Storage(0, file));
    } finally {
      file.close();
    }
  };

  it("gives back what any history of writes came to, and goes on counting from there", () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), (writes) => {
        const path = newPath();
        const file = StateFile.open(path);
        const storage = new Storage(0, file);
        for (const one of writes) carryOut(storage, one);
        const before = contentOf(storage);
        file.close();
        expect(stateOf(path)).to.deep.equal(before);
      }),
      { numRuns: 30 },
    );
  });

  it("has every whole write and nothing of the one that a crash cut off, wherever it did", () => {
    const path = newPath();
    const storage = openForLater(path);
    const log = `${path}-wal`;
    const states = [{ size: statSync(log).size, state: contentOf(storage) }];
    for (const one of fc.sample(write, 12)) {
      carryOut(storage, one);
      states.push({ size: statSync(log).size, state: contentOf(storage) });
    }
    const [earliest, end] = [states.at(-4)?.size ?? 0, statSync(log).size];
    const pages = Array.from({ length: Math.ceil((end - earliest) / 1024) }, (_, index) => earliest + index * 1024);
    const cuts = new Set([...pages, ...states.flatMap(({ size }) => [size - 1, size, size + 1]), end]);
    for (const cut of [...cuts].filter((size) => size >= (states[0]?.size ?? 0) && size <= end)) {
      const copy = newPath();
      copyFileSync(path, copy);
      copyFileSync(log, `${copy}-wal`);
      truncateSync(`${copy}-wal`, cut);
      const expected = states.findLast(({ size }) => size <= cut)?.state;
      expect(stateOf(copy), `log cut at ${cut} of ${end}`).to.deep.equal(expected);
    }
  });

  it("is made anew when the first start was killed while it made it", () => {
    const path = newPath();
    openForLater(path);
    for (let size = statSync(`${path}-wal`).size; size >= 0; size -= 256) {
      const copy = newPath();
      copyFileSync(path, copy);
      copyFileSync(`${path}-wal`, `${copy}-wal`);
      truncateSync(`${copy}-wal`, size);
      expect(stateOf(copy), `log cut at ${size}`).to.deep.equal({ version: 0, objects: [[], []] });
    }
  });

  it("is right or refused in one sentence, never wrong, when any of its bits has flipped", () => {
    const path = newPath();
    const file = StateFile.open(path);
    const storage = new Storage(0, file);
    for (const name of ["a", "b", "c", "d", "e"])
      carryOut(storage, { resource: "configmaps", name, value: name.repeat(900) });
    const before = contentOf(storage);
    file.close();
    const bytes = readFileSync(path);
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (position, bit) => {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt8(damaged.readUInt8(position) ^ (1 << bit), position);
        const copy = newPath();
        writeFileSync(copy, damaged);
        try {
          expect(stateOf(copy)).to.deep.equal(before);
        } catch (error) {
          if (!(error instanceof StateFileError)) throw error;
          expect(error.message).to.contain(copy);
          refused++;
        }
      }),
      { numRuns: 150 },
    );
    expect(refused).to.be.greaterThan(0);
  });

  it("says which object is damaged, and what to do", () => {
    const path = newPath();
    const file = StateFile.open(path);
    carryOut(new Storage(0, file), { resource: "configmaps", name: "a", value: "before" });
    file.close();
    const bytes = readFileSync(path);
    bytes.write("behind", bytes.indexOf("before"));
    writeFileSync(path, bytes);
    expect(() => stateOf(path)).to.throw(
      StateFileError,
      `${path} is damaged (configmaps default/a is not what was written): bring back a copy of it, or begin afresh with --reset`,
    );
  });

  it("is opened by one process at a time, and is no file of another kind or format", () => {
    const path = newPath();
    openForLater(path);
    expect(() => stateOf(path)).to.throw(StateFileError, `${path} is in use by another process: stop that one first`);

    const text = newPath();
    writeFileSync(text, "no database at all, but long enough to be taken for one".repeat(100));
    expect(() => stateOf(text)).to.throw(StateFileError, `${text} is damaged (file is not a database)`);

    const foreign = newPath();
    withDatabase(foreign, "CREATE TABLE songs (title TEXT)");
    expect(() => stateOf(foreign)).to.throw(StateFileError, `${foreign} is no state of a local cluster`);

    const newer = newPath();
    StateFile.open(newer).close();
    withDatabase(newer, "PRAGMA user_version = 2");
    expect(() => stateOf(newer)).to.throw(StateFileError, /is of another version of Slipway \(format 2; .*--reset$/);
  });

  it("is not called damaged when the disk is at fault", () => {
    const path = join(folder, "nowhere", "state.db");
    expect(() => stateOf(path)).to.throw(StateFileError, `${path} cannot be used (ENOENT`);
  });

  it("is for its owner's eyes only: Secrets are in it", () => {
    const path = newPath();
    openForLater(path);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).to.equal(0o600);
  });

  it("keeps no Leases, whose holders have ended", () => {
    const path = newPath();
    const file = StateFile.open(path);
    const storage = new Storage(0, file);
    storage.put("leases.coordination.k8s.io", objectOf("holder", ""));
    storage.put("configmaps", objectOf("kept", ""));
    file.close();
    const reopened = openForLater(path);
    expect(reopened.list("leases.coordination.k8s.io")).to.deep.equal([]);
    expect(reopened.list("configmaps")).to.have.lengthOf(1);
    expect(existsSync(`${path}-wal`)).to.equal(true);
  });
});

function carryOut(storage: Storage, { resource, name, value }: Write): void {
  if (value !== undefined) {
    storage.put(resource, objectOf(name, value));
    return;
  }
  const object = storage.get(resource, "default", name);
  if (object !== undefined) storage.remove(resource, object);
}

function objectOf(name: string, value: string): KubeObject {
  const metadata = { name, namespace: "default", uid: name, resourceVersion: "", creationTimestamp: "" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { value } };
}

function contentOf(storage: Storage): object {
  return { version: storage.resourceVersion, objects: resources.map((resource) => storage.list(resource)) };
}

function withDatabase(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}
