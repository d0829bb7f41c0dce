import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { expect } from "chai";

import { ArtifactCache } from "../../../runtime/source/cache.ts";
import { Scratch } from "../support/scratch.ts";

const PLENTY = 1024 ** 3;
const DIGEST = "ab".repeat(32);

describe("The cache of artifacts", () => {
  const scratch = new Scratch();

  it("shows an artifact when it is whole, and not before", async () => {
    const cache = new ArtifactCache(scratch.path("one"), PLENTY);
    const staging = await cache.stage();
    await writeFile(join(staging, "model.onnx"), "graph");
    expect(await cache.find(DIGEST)).to.equal(undefined);
    const kept = await cache.keep(staging, DIGEST);
    expect(kept).to.include({ sha256: DIGEST, bytes: 5 });
    expect(await cache.find(DIGEST)).to.deep.equal(kept);
  });

  it("keeps the first of two that download the same", async () => {
    const cache = new ArtifactCache(scratch.path("two"), PLENTY);
    const other = new ArtifactCache(scratch.path("two"), PLENTY);
    const staging = await cache.stage();
    await writeFile(join(staging, "model.onnx"), "graph");
    await cache.keep(staging, DIGEST);
    await mkdir(staging);
    await writeFile(join(staging, "model.onnx"), "graph");
    expect(await other.keep(staging, DIGEST)).to.include({ bytes: 5 });
  });

  it("removes what a killed process on this machine left behind, and nothing else", async () => {
    const dead = spawn(process.execPath, ["--version"], { stdio: "ignore" });
    await once(dead, "exit");
    const root = scratch.path("three");
    const kept = [`download-${hostname()}-${process.ppid}-abc`, `download-elsewhere-${dead.pid}-abc`, "mine"];
    for (const name of [...kept, `download-${hostname()}-${dead.pid}-abc`])
      await mkdir(join(root, name), { recursive: true });
    const staging = await new ArtifactCache(root, PLENTY).stage();
    expect(await readdir(root)).to.have.members([...kept, "sha256", staging.slice(root.length + 1)]);
  });

  it("removes what was not used for the longest time when it grows too large, but nothing that was used just now", async () => {
    const root = scratch.path("four");
    const keep = async (digit: string, minutesAgo: number, maxBytes: number): Promise<void> => {
      const cache = new ArtifactCache(root, maxBytes);
      const staging = await cache.stage();
      await writeFile(join(staging, "model.onnx"), Buffer.alloc(100));
      const { folder } = await cache.keep(staging, digit.repeat(64));
      const then = new Date(Date.now() - minutesAgo * 60_000);
      await utimes(folder, then, then);
    };
    const kept = async (): Promise<string[]> =>
      (await readdir(join(root, "sha256"))).map((name) => name.slice(0, 1)).sort();
    await keep("a", 60, PLENTY);
    await keep("b", 90, PLENTY);
    await keep("c", 5, PLENTY);
    await keep("d", 0, 350);
    expect(await kept()).to.deep.equal(["a", "c", "d"]);
    await new ArtifactCache(root, 350).find("a".repeat(64));
    await keep("e", 0, 100);
    expect(await kept()).to.deep.equal(["a", "c", "d", "e"]);
    expect(await readdir(root)).to.deep.equal(["sha256"]);
  });
});
