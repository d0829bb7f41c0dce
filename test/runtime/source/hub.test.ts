import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";

import { expect } from "chai";

import { Fetching } from "../support/fetching.ts";
import { TestServer } from "../support/http-server.ts";
import { Scratch, fixturePath, graph } from "../support/scratch.ts";

const COMMIT = "c0ffee".padEnd(40, "0");
const TOKEN = "hf-token";

describe("An artifact on a hub", () => {
  const scratch = new Scratch();
  const fetching = new Fetching(scratch, () => ({ HF_ENDPOINT: hub.url }));
  let onnx: Buffer;
  let files: Record<string, Buffer>;
  let asked: string[];
  let authorizedAtCdn: (string | undefined)[];

  /** Two files a page, as the hub pages longer lists; large files come from another host. */
  const hub = new TestServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://hub");
    asked.push(pathname);
    const [, name, rest = ""] = /^\/(?:api\/models\/)?(\w+\/loan)\/(.*)$/.exec(pathname) ?? [];
    if (name === "secret/loan" && request.headers.authorization !== `Bearer ${TOKEN}`)
      return void response.writeHead(401).end();
    if (name === undefined) return void response.writeHead(404).end();
    if (/^revision\/(main|v2)$/.test(rest)) return void response.end(JSON.stringify({ id: name, sha: COMMIT }));
    if (rest.startsWith(`tree/${COMMIT}`)) {
      const folder = rest.slice(`tree/${COMMIT}/`.length);
      const listed = Object.entries(files).filter(([path]) => path.startsWith(folder));
      const from = Number(searchParams.get("cursor") ?? 0);
      const link = `<${hub.url}${pathname}?recursive=true&cursor=${from + 2}>; rel="next"`;
      response.writeHead(200, from + 2 < listed.length ? { link } : {});
      return void response.end(JSON.stringify(listed.slice(from, from + 2).map(entry)));
    }
    if (!rest.startsWith("resolve/")) return void response.writeHead(404).end();
    const path = rest.slice(`resolve/${COMMIT}/`.length);
    if (path.endsWith(".onnx")) response.writeHead(302, { location: `${cdn.url}/${path}` }).end();
    else response.end(files[decodeURIComponent(path)]);
  });
  const cdn = new TestServer((request, response) => {
    authorizedAtCdn.push(request.headers.authorization);
    response.end(files[request.url?.slice(1) ?? ""]);
  });

  function entry([path, bytes]: [string, Buffer]): object {
    const lfs = { oid: createHash("sha256").update(onnx).digest("hex"), size: onnx.length, pointerSize: 130 };
    return { type: "file", oid: "0".repeat(40), size: bytes.length, path, ...(path.endsWith(".onnx") && { lfs }) };
  }

  before(async () => {
    onnx = await readFile(fixturePath("regressor.onnx"));
  });
  beforeEach(() => {
    asked = [];
    authorizedAtCdn = [];
    files = {
      ".gitattributes": Buffer.from("*.onnx lfs"),
      "README.md": Buffer.from("# Loan"),
      "metadata.json": Buffer.from('{"version":"3"}'),
      "model.onnx": onnx,
      "model.safetensors": Buffer.from("weights"),
    };
  });

  it("has the digest of a folder with the same files, other frameworks' left out, all of one commit", async () => {
    const folder = await scratch.folder({
      "README.md": "# Loan",
      "metadata.json": { version: "3" },
      "model.onnx": graph("regressor"),
    });
    const { sha256 } = await fetching.fetched(folder);
    expect(await fetching.fetched("hf://acme/loan")).to.include({ sha256, uri: "hf://acme/loan" });
    expect(asked)
      .to.include(`/acme/loan/resolve/${COMMIT}/model.onnx`)
      .and.include("/api/models/acme/loan/revision/main");
    expect(await fetching.fetched("hf://acme/loan@v2", { MODEL_SHA256: sha256 })).to.include({ sha256 });
  });

  it("may be one folder of the repository, or one graph", async () => {
    files = { "onnx/model.onnx": onnx, "onnx/größe.json": Buffer.from("{}"), "model.onnx": Buffer.from("another") };
    const { folder } = await fetching.fetched("hf://acme/loan/onnx");
    expect((await readdir(folder)).sort()).to.deep.equal(["größe.json", "model.onnx"]);
    const alone = await fetching.fetched("hf://acme/loan/onnx/model.onnx");
    expect(await readdir(alone.folder)).to.deep.equal(["model.onnx"]);
    expect(alone.sha256).to.equal(createHash("sha256").update(onnx).digest("hex"));
  });

  it("needs the token where the repository is private, and the token stays with the hub", async () => {
    expect(await fetching.refused("hf://secret/loan", { HF_TOKEN: "wrong-token" }, ["wrong-token"]))
      .to.include({ reason: "AccessDenied" })
      .and.have.property("message")
      .that.includes("HF_TOKEN");
    await fetching.fetched("hf://secret/loan", { HF_TOKEN: TOKEN });
    expect(authorizedAtCdn).to.deep.equal([undefined]);
  });

  it("is refused when it is absent, of another framework, or not what the listing says", async () => {
    expect(await fetching.refused("hf://acme/house")).to.include({ reason: "ArtifactNotFound" });
    expect(await fetching.refused("hf://acme/loan@v9")).to.include({ reason: "ArtifactNotFound" });
    files["model.onnx"] = Buffer.from("damaged");
    expect(await fetching.refused("hf://acme/loan@v2")).to.include({ reason: "DigestMismatch" });
    delete files["model.onnx"];
    expect(await fetching.refused("hf://acme/loan"))
      .to.include({ reason: "UnsupportedFormat" })
      .and.have.property("message")
      .that.matches(/model\.safetensors is weights without a graph; .* slipway\.save_model\(/);
  });
});
