import { execFile } from "node:child_process";
import { readFile, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { Fetching } from "../support/fetching.ts";
import { TestServer } from "../support/http-server.ts";
import { artifactOf, digestOf, imageOf, pushed } from "../support/oci.ts";
import type { Pushed } from "../support/oci.ts";
import { Scratch, fixturePath } from "../support/scratch.ts";
import type { Content } from "../support/scratch.ts";

const run = promisify(execFile);
const TOKEN = "registry-token";
const BASIC = `Basic ${Buffer.from("ada:pass-word").toString("base64")}`;

describe("An artifact in a registry", () => {
  const scratch = new Scratch();
  const fetching = new Fetching(scratch);
  let onnx: Buffer;
  /** By tag and by digest. */
  let manifests: Map<string, { bytes: Buffer; mediaType: string }>;
  let blobs: Map<string, Buffer>;
  let refusal: Record<string, string> | undefined;
  let expected: string;

  const registry = new TestServer((request, response) => {
    const { authorization } = request.headers;
    const { pathname, searchParams } = new URL(request.url ?? "", "http://registry");
    if (pathname === "/token") {
      if (authorization !== BASIC) return void response.writeHead(401, { "www-authenticate": "Basic" }).end();
      expect(searchParams.get("scope")).to.equal("repository:ml/loan:pull");
      return void response.end(JSON.stringify({ token: TOKEN }));
    }
    if (refusal && authorization !== expected) return void response.writeHead(401, refusal).end();
    const [, kind, reference = ""] = /^\/v2\/ml\/loan\/(manifests|blobs)\/(.+)$/.exec(pathname) ?? [];
    const manifest = kind === "manifests" ? manifests.get(reference) : undefined;
    const blob = kind === "blobs" ? blobs.get(reference) : undefined;
    if (manifest) response.writeHead(200, { "content-type": manifest.mediaType }).end(manifest.bytes);
    else if (blob) response.end(blob);
    else response.writeHead(404).end();
  });

  function push(tag: string, { blobs: added, manifest, mediaType }: Pushed): void {
    for (const [digest, bytes] of added) blobs.set(digest, bytes);
    for (const reference of [tag, digestOf(manifest)]) manifests.set(reference, { bytes: manifest, mediaType });
  }

  async function layer(files: Readonly<Record<string, Content>>, links: Record<string, string> = {}): Promise<Buffer> {
    const folder = await scratch.folder(files);
    for (const [name, target] of Object.entries(links)) await symlink(target, join(folder, name));
    await run("tar", ["czf", `${folder}.tar.gz`, "-C", folder, "."]);
    return readFile(`${folder}.tar.gz`);
  }

  const uri = (reference: string): string => `oci://${registry.host}/ml/loan${reference}`;

  before(async () => {
    onnx = await readFile(fixturePath("regressor.onnx"));
  });
  beforeEach(() => {
    manifests = new Map();
    blobs = new Map();
    refusal = undefined;
  });

  it("may be files with names, by tag or by digest", async () => {
    const artifact = artifactOf({ "model.onnx": onnx, "metadata.json": Buffer.from('{"version":"3"}') });
    push("latest", artifact);
    const { sha256 } = await fetching.fetched(
      await scratch.folder({ "model.onnx": onnx, "metadata.json": { version: "3" } }),
    );
    expect(await fetching.fetched(uri(""))).to.include({ sha256 });
    expect(await fetching.fetched(uri(`:1.0@${digestOf(artifact.manifest)}`))).to.include({ sha256 });
  });

  it("may be a packed folder", async () => {
    const bytes = await layer({ "loan/model.onnx": onnx, "loan/metadata.json": {} });
    const annotations = { "org.opencontainers.image.title": "loan", "io.deis.oras.content.unpack": "true" };
    push("1", pushed([{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", bytes, annotations }], "x/y"));
    const { folder } = await fetching.fetched(uri(":1"));
    expect((await readdir(folder)).sort()).to.deep.equal(["metadata.json", "model.onnx"]);
  });

  it("may be an image, of which /models is the model: later layers replace and delete, the rest is left out", async () => {
    const base = await layer(
      { "etc/passwd": "root", "models/old.bin": "x", "models/metadata.json": { version: "1" } },
      { bin: "usr/bin" },
    );
    const top = await layer({
      "models/.wh.old.bin": "",
      "models/metadata.json": { version: "2" },
      "models/model.onnx": onnx,
    });
    const { manifest, ...image } = imageOf([base, top]);
    push("linux", { manifest, ...image });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const entry = (architecture: string, digest: string): object => ({
      mediaType: image.mediaType,
      digest,
      size: 1,
      platform: { os: "linux", architecture },
    });
    const ours = process.arch === "x64" ? "amd64" : process.arch;
    const index = { manifests: [entry("s390x", digestOf(onnx)), entry(ours, digestOf(manifest))] };
    push("1", { blobs: new Map(), manifest: Buffer.from(JSON.stringify(index)), mediaType });
    const { folder } = await fetching.fetched(uri(":1"));
    expect((await readdir(folder)).sort()).to.deep.equal(["metadata.json", "model.onnx"]);
    expect(await readFile(join(folder, "metadata.json"), "utf8")).to.equal('{"version":"2"}');
  });

  it("is opened with a token, or a password, and they appear in no message", async () => {
    push("1", artifactOf({ "model.onnx": onnx }));
    const environment = { OCI_USERNAME: "ada", OCI_PASSWORD: "pass-word" };
    const auth = Buffer.from("ada:pass-word").toString("base64");
    const dockerConfig = {
      OCI_DOCKER_CONFIG: JSON.stringify({ auths: { [`https://${registry.host}/v1/`]: { auth } } }),
    };
    for (const [challenge, authorization] of [
      [`Bearer realm="${registry.url}/token",service="registry",scope="repository:ml/loan:pull"`, `Bearer ${TOKEN}`],
      ['Basic realm="registry"', BASIC],
    ] as const) {
      refusal = { "www-authenticate": challenge };
      expected = authorization;
      await fetching.fetched(uri(":1"), environment);
      await fetching.fetched(uri(":1"), dockerConfig);
      for (const wrong of [{}, { OCI_USERNAME: "ada", OCI_PASSWORD: "wrong-word" }])
        expect(await fetching.refused(uri(":1"), wrong, ["wrong-word"])).to.include({ reason: "AccessDenied" });
    }
    const broken = { OCI_DOCKER_CONFIG: '{"auths": "pass-word"}' };
    expect(await fetching.refused(uri(":1"), broken, ["pass-word"])).to.include({ reason: "InvalidConfiguration" });
  });

  it("is refused when it is absent, altered, climbs out, or is no model", async () => {
    const artifact = artifactOf({ "model.onnx": onnx });
    push("1", artifact);
    expect(await fetching.refused(uri(":2"))).to.include({ reason: "ArtifactNotFound" });
    blobs.set(digestOf(onnx), Buffer.from("altered"));
    expect(await fetching.refused(uri(":1"))).to.include({ reason: "DigestMismatch" });
    manifests.set(digestOf(onnx), { bytes: artifact.manifest, mediaType: artifact.mediaType });
    expect(await fetching.refused(uri(`@${digestOf(onnx)}`))).to.include({ reason: "DigestMismatch" });
    push("3", artifactOf({ "../model.onnx": Buffer.from("x") }));
    expect(await fetching.refused(uri(":3"))).to.include({ reason: "InvalidModel" });
    push("4", imageOf([await layer({ "models/model.onnx": onnx }, { "models/secrets": "/var/run/secrets" })]));
    expect(await fetching.refused(uri(":4"))).to.include({ reason: "InvalidModel" });
    push("5", pushed([{ mediaType: "application/wasm", bytes: onnx }], "x/y"));
    expect(await fetching.refused(uri(":5"))).to.include({ reason: "UnsupportedFormat" });
  });
});
