import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { Fetching } from "../runtime/support/fetching.ts";
import { artifactOf, digestOf, imageOf } from "../runtime/support/oci.ts";
import type { Pushed } from "../runtime/support/oci.ts";
import { RuntimeProcess } from "../runtime/support/runtime-process.ts";
import { Scratch, loan } from "../runtime/support/scratch.ts";

const run = promisify(execFile);
const FOLDER = "examples/loan/1.0.0";

// Needs a running registry (`go install github.com/google/go-containerregistry/cmd/registry`), whose host:port on this
// machine is in OCI_REGISTRY.
describe("An artifact in a real registry", () => {
  const registry = process.env["OCI_REGISTRY"] ?? "";
  const repository = `ml/loan-${process.pid}`;
  const scratch = new Scratch();
  const fetching = new Fetching(scratch);
  const uri = (reference: string): string => `oci://${registry}/${repository}${reference}`;

  before(() => {
    expect(registry, "OCI_REGISTRY").to.match(/:\d+$/);
  });

  async function push(tag: string, { blobs, manifest, mediaType }: Pushed): Promise<void> {
    const base = `http://${registry}/v2/${repository}`;
    for (const [digest, bytes] of blobs) {
      const started = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
      const upload = new URL(started.headers.get("location") ?? "", `http://${registry}`);
      upload.searchParams.set("digest", digest);
      const body = new Uint8Array(bytes);
      expect((await fetch(upload, { method: "PUT", body })).status, digest).to.equal(201);
    }
    const headers = { "content-type": mediaType };
    const put = await fetch(`${base}/manifests/${tag}`, { method: "PUT", headers, body: new Uint8Array(manifest) });
    expect(put.status, tag).to.equal(201);
  }

  it("has the digest of the folder that was pushed, by tag and by digest, and is served", async () => {
    const names = await readdir(FOLDER);
    const files = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await readFile(join(FOLDER, name))] as const)),
    );
    const artifact = artifactOf(files);
    await push("1.0.0", artifact);
    const { sha256 } = await fetching.fetched(FOLDER);
    expect(await fetching.fetched(uri(":1.0.0"))).to.include({ sha256 });
    expect(await fetching.fetched(uri(`@${digestOf(artifact.manifest)}`), { MODEL_SHA256: sha256 })).to.include({
      sha256,
    });
    await using runtime = new RuntimeProcess({ MODEL_URI: uri(":1.0.0"), MODEL_CACHE_DIR: scratch.path("served") });
    await runtime.logged("ready");
  });

  it("may be an image", async () => {
    const folder = await scratch.folder({ "models/model.onnx": loan("1.0.0", "model.onnx"), "etc/os-release": "none" });
    await run("tar", ["czf", `${folder}.tar.gz`, "-C", folder, "."]);
    await push("image", imageOf([await readFile(`${folder}.tar.gz`)]));
    const { folder: unpacked } = await fetching.fetched(uri(":image"));
    expect(await readdir(unpacked)).to.deep.equal(["model.onnx"]);
  });

  it("is not found under another tag", async () => {
    expect(await fetching.refused(uri(":2"))).to.include({ reason: "ArtifactNotFound" });
  });
});
