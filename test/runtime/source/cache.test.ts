import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { expect } from "chai";

import { ArtifactCache } from "../../../runtime/source/cache.ts";
import { Scratch } from "../support/scratch.ts";

const DIGEST = "ab".repeat(32);

describe("The cache of artifacts", () => {
  const scratch = new Scratch();

  it("shows an artifact when it is whole, and not before", async () => {
    const cache = new ArtifactCache(scratch.path("one"));
    const staging = await cache.stage();
    await writeFile(join(staging, "model.onnx"), "graph");
    expect(await cache.find(DIGEST)).to.equal(undefined);
    const kept = await cache.keep(staging, DIGEST);
    expect(kept).to.include({ sha256: DIGEST, bytes: 5 });
    expect(await cache.find(DIGEST)).to.deep.equal(kept);
  });

  it("keeps the first of two that download the same", async () => {
    const cache = new ArtifactCache(scratch.path("two"));
    const other = new ArtifactCache(scratch.path("two"));
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
    const staging = await new ArtifactCache(root).stage();
    expect(await readdir(root)).to.have.members([...kept, "sha256", staging.slice(root.length + 1)]);
  });
});
