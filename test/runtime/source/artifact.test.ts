import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, readdir, rename, symlink } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../../runtime/config.ts";
import { LoadError } from "../../../runtime/load-error.ts";
import { fetchArtifact } from "../../../runtime/source/artifact.ts";
import type { Artifact } from "../../../runtime/source/artifact.ts";
import { RuntimeProcess } from "../support/runtime-process.ts";
import { Scratch, fixturePath, graph } from "../support/scratch.ts";

const run = promisify(execFile);
const FILES = {
  "model.onnx": graph("regressor"),
  "metadata.json": { version: "3" },
  "data/weights.bin": "weights",
  ".hidden": "x",
};

describe("An artifact", () => {
  const scratch = new Scratch();

  function fetched(
    uri: string,
    environment: Record<string, string> = {},
    signal = new AbortController().signal,
  ): Promise<Artifact> {
    const config = readConfig({
      MODEL_URI: uri,
      MODEL_CACHE_DIR: scratch.path("cache"),
      MODEL_CONFIGMAP_ROOT: scratch.path("configmaps"),
      ...environment,
    });
    return fetchArtifact(config, pino({ level: "silent" }), signal);
  }

  async function refused(uri: string, environment: Record<string, string> = {}): Promise<LoadError> {
    const error: unknown = await fetched(uri, environment).catch((error: unknown) => error);
    expect(error).to.be.instanceOf(LoadError);
    return error as LoadError;
  }

  const cachedFolders = (): Promise<string[]> => readdir(scratch.path("cache/sha256")).catch(() => []);

  describe("in a folder", () => {
    it("has the digest that sha256sum gives, dot files left out", async () => {
      const folder = await scratch.folder(FILES);
      const { stdout } = await run(
        "sh",
        ["-c", "find . -type f ! -path '*/.*' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum"],
        { cwd: folder },
      );
      const expected = stdout.split(" ")[0]!;
      expect(await fetched(folder)).to.include({ folder, sha256: expected });
      expect(await fetched(`file://${folder}`, { MODEL_SHA256: expected })).to.include({
        sha256: expected,
        uri: `file://${folder}`,
      });
    });

    it("may be a single graph, whose digest is its bytes'", async () => {
      const folder = await scratch.folder(FILES);
      const { stdout } = await run("sha256sum", [join(folder, "model.onnx")]);
      expect(await fetched(join(folder, "model.onnx"))).to.include({
        folder,
        file: "model.onnx",
        sha256: stdout.split(" ")[0],
      });
    });

    it("ends the search when a link leads back to a folder above", async () => {
      const folder = await scratch.folder(FILES);
      await symlink(folder, join(folder, "data/loop"));
      expect((await fetched(folder)).bytes).to.be.greaterThan(0);
    });
  });

  describe("in a ConfigMap's volume", () => {
    /** What kubelet makes of a ConfigMap: links through `..data` into a folder of this generation. */
    async function mount(name: string): Promise<string> {
      const volume = scratch.path(`configmaps/${name}`);
      await mkdir(scratch.path("configmaps"), { recursive: true });
      await rename(
        await scratch.folder({ "..2026_1/model.onnx": graph("regressor"), "..2026_1/metadata.json": { version: "3" } }),
        volume,
      );
      await symlink("..2026_1", join(volume, "..data"));
      for (const file of ["model.onnx", "metadata.json"]) await symlink(`..data/${file}`, join(volume, file));
      return volume;
    }

    it("is read from one generation, with the digest of a plain folder of the same files", async () => {
      const volume = await mount("loan-v1");
      const plain = await fetched(
        await scratch.folder({ "model.onnx": graph("regressor"), "metadata.json": { version: "3" } }),
      );
      expect(await fetched("configmap://loan-v1")).to.include({
        folder: join(volume, "..2026_1"),
        sha256: plain.sha256,
      });
    });

    it("is said not to exist when the volume is empty, as kubelets leave it then", async () => {
      const volume = scratch.path("configmaps/nowhere");
      await mkdir(join(volume, "..2026_1"), { recursive: true });
      await symlink("..2026_1", join(volume, "..data"));
      const { reason, message } = await refused("configmap://nowhere");
      expect(reason).to.equal("ArtifactNotFound");
      expect(message).to.match(/ConfigMap nowhere holds no files, or is not there; does it exist in the namespace/);
    });

    it("is not followed out of the volume", async () => {
      await mount("honest");
      const volume = scratch.path("configmaps/sly");
      await mkdir(volume);
      await symlink("../honest", join(volume, "..data"));
      expect(await refused("configmap://sly")).to.include({ reason: "InvalidConfiguration" });
    });
  });

  describe("on a claim's volume", () => {
    const claims = (): Record<string, string> => ({ MODEL_CLAIM_ROOT: scratch.path("claims") });

    before(async () => {
      await mkdir(scratch.path("claims"));
      await rename(await scratch.folder({ "loan/1/model.onnx": graph("regressor") }), scratch.path("claims/models"));
      await symlink("1", scratch.path("claims/models/loan/current"));
      await symlink("/etc", scratch.path("claims/models/loan/sly"));
      await run("tar", [
        "czf",
        scratch.path("claims/models/loan.tar.gz"),
        "-C",
        scratch.path("claims/models/loan/1"),
        ".",
      ]);
    });

    it("is read where it is, also through a link of the volume", async () => {
      const { sha256 } = await fetched(await scratch.folder({ "model.onnx": graph("regressor") }));
      for (const uri of ["pvc://models/loan/1", "pvc://models/loan/current/"])
        expect(await fetched(uri, claims()), uri).to.include({
          sha256,
          uri,
          folder: scratch.path("claims/models/loan/1"),
        });
      expect(await fetched("pvc://models/loan/1/model.onnx", claims())).to.include({ file: "model.onnx" });
      expect(await readdir((await fetched("pvc://models/loan.tar.gz", claims())).folder)).to.deep.equal(["model.onnx"]);
    });

    it("is refused when it is not there, or leads out of the volume", async () => {
      expect(await refused("pvc://other/loan", claims())).to.include({ reason: "ArtifactNotFound" });
      expect(await refused("pvc://models/loan/2", claims())).to.include({ reason: "ArtifactNotFound" });
      expect(await refused("pvc://models/loan/sly", claims())).to.include({ reason: "InvalidConfiguration" });
    });
  });

  describe("in an archive", () => {
    async function archive(files: Parameters<Scratch["folder"]>[0], args: readonly string[] = ["."]): Promise<string> {
      const folder = await scratch.folder(files);
      await run("tar", ["czf", `${folder}.tar.gz`, "-C", folder, ...args]);
      return `${folder}.tar.gz`;
    }

    it("is unpacked into the cache, and its digest is that of the archive's bytes", async () => {
      const path = await archive(FILES);
      const { stdout } = await run("sha256sum", [path]);
      const artifact = await fetched(path);
      expect(artifact.sha256).to.equal(stdout.split(" ")[0]);
      expect(await readFile(join(artifact.folder, "data/weights.bin"), "utf8")).to.equal("weights");
      expect(await readFile(join(artifact.folder, "metadata.json"), "utf8")).to.equal('{"version":"3"}');
    });

    it("may hold the model in one folder, and long and foreign names", async () => {
      const long = `${"long".repeat(15)}/${"long".repeat(15)}/größe.bin`;
      const path = await archive({ "loan/model.onnx": graph("regressor"), [`loan/${long}`]: "x" }, ["loan"]);
      expect(await readdir((await fetched(path)).folder)).to.include("model.onnx");
      for (const format of ["gnu", "pax", "ustar"]) {
        const again = await archive({ "model.onnx": graph("regressor"), [long]: format }, [`--format=${format}`, "."]);
        expect(await readFile(join((await fetched(again)).folder, long), "utf8")).to.equal(format);
      }
    });

    it("is refused when it holds links or climbs out of its folder", async () => {
      const folder = await scratch.folder(FILES);
      await symlink("/etc/passwd", join(folder, "link"));
      await run("tar", ["czf", `${folder}.tar.gz`, "-C", folder, "."]);
      expect(await refused(`${folder}.tar.gz`))
        .to.include({ reason: "InvalidModel" })
        .and.have.property("message")
        .that.includes("is a link");

      const climbing = await archive(FILES, ["--transform", "s|^|../|", "metadata.json"]);
      expect((await refused(climbing)).message).to.include("could leave the model's folder");
      const absolute = await archive(FILES, ["-P", "--transform", "s|^|/tmp/|", "metadata.json"]);
      expect((await refused(absolute)).message).to.include("could leave the model's folder");
    });

    it("is refused when it is damaged, cut off or too large, and leaves nothing in the cache", async () => {
      const before = await cachedFolders();
      const whole = await readFile(await archive(FILES));
      const cut = await scratch.folder({
        "cut.tar.gz": whole.subarray(0, whole.length / 2),
        "none.tar.gz": "no archive",
      });
      expect(await refused(join(cut, "cut.tar.gz"))).to.include({ reason: "InvalidModel" });
      expect((await refused(join(cut, "none.tar.gz"))).message).to.include("the archive is damaged");
      await run(
        "sh",
        ["-c", "head -c 1024 /dev/zero | tar cf plain.tar none.tar.gz && head -c 1024 plain.tar > cut.tar"],
        { cwd: cut },
      );
      expect(await refused(join(cut, "cut.tar"))).to.include({ reason: "InvalidModel" });
      const zeros = await archive({ "model.onnx": Buffer.alloc(5_000_000) });
      expect(await refused(zeros, { MAX_ARTIFACT_BYTES: "100000" })).to.include({ reason: "ArtifactTooLarge" });
      expect(await cachedFolders()).to.deep.equal(before);
      expect((await readdir(scratch.path("cache"))).filter((name) => name.startsWith("download-"))).to.deep.equal([]);
    });
  });

  describe("in a zip", () => {
    /** Python's zipfile, as the tool that most models are zipped with; `script` sees the open archive as `z`. */
    async function zip(script: string): Promise<string> {
      const path = join(await scratch.folder(FILES), "model.zip");
      const program = `import zipfile, stat\nwith zipfile.ZipFile("model.zip", "w", zipfile.ZIP_DEFLATED) as z:\n  ${script}`;
      await run("python3", ["-c", program], { cwd: dirname(path) });
      return path;
    }

    it("is unpacked, compressed or stored, and its digest is that of the archive's bytes", async () => {
      const path = await zip(
        `z.write("model.onnx", "loan/model.onnx"); z.write("metadata.json", "loan/metadata.json", zipfile.ZIP_STORED); z.writestr("loan/größe.txt", "x" * 100000)`,
      );
      const { stdout } = await run("sha256sum", [path]);
      const artifact = await fetched(path);
      expect(artifact.sha256).to.equal(stdout.split(" ")[0]);
      expect(await readFile(join(artifact.folder, "model.onnx"))).to.deep.equal(
        await readFile(fixturePath("regressor.onnx")),
      );
      expect(await readFile(join(artifact.folder, "metadata.json"), "utf8")).to.equal('{"version":"3"}');
      expect(await readFile(join(artifact.folder, "größe.txt"), "utf8")).to.equal("x".repeat(100_000));
    });

    for (const [what, script, reason, message] of [
      ["climbs out of its folder", 'z.writestr("../x", "")', "InvalidModel", /could leave the model's folder/],
      ["has an absolute path", 'z.writestr("/tmp/x", "")', "InvalidModel", /could leave the model's folder/],
      ["has a file twice", 'z.writestr("x", "1"); z.writestr("x", "2")', "InvalidModel", /occurs twice/],
      [
        "has a link",
        'i = zipfile.ZipInfo("x"); i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16; z.writestr(i, "/etc/passwd")',
        "InvalidModel",
        /is a link/,
      ],
      ["is compressed in another way", 'z.writestr("x", "1", zipfile.ZIP_BZIP2)', "InvalidModel", /only deflate/],
      ["is a bomb", 'z.writestr("x", bytes(5_000_000))', "ArtifactTooLarge", /more than 1000000 bytes/],
      ["has too many entries", '[z.writestr(str(i), "") for i in range(10_001)]', "ArtifactTooLarge", /10000 entries/],
    ] as const) {
      it(`is refused when it ${what}`, async () => {
        const error = await refused(await zip(script), { MAX_ARTIFACT_BYTES: "1000000" });
        expect(error).to.include({ reason });
        expect(error.message).to.match(message);
      });
    }

    it("is refused when it lies about sizes, is cut off, or damaged anywhere", async () => {
      const bytes = await readFile(await zip('z.writestr("metadata.json", "{}" + " " * 1000); z.write("model.onnx")'));
      const directory = bytes.indexOf("PK\x01\x02", 0, "latin1");
      const lying = Buffer.from(bytes);
      lying.writeUInt32LE(10, directory + 24);
      const damaged = Buffer.from(bytes);
      damaged[35 + "metadata.json".length] = 0xff;
      const folder = await scratch.folder({
        "lying.zip": lying,
        "damaged.zip": damaged,
        "cut.zip": bytes.subarray(0, -30),
        "none.zip": "no archive",
      });
      for (const name of ["lying", "damaged", "cut", "none"]) {
        expect(await refused(join(folder, `${name}.zip`)), name).to.include({ reason: "InvalidModel" });
      }
    });
  });

  describe("at an HTTP address", () => {
    let server: Server;
    let handler: (request: IncomingMessage, response: ServerResponse) => void;
    let asked: string[];
    const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const model = (): Promise<Buffer> => readFile(fixturePath("regressor.onnx"));

    before(async () => {
      server = createServer((request, response) => {
        asked.push(request.url ?? "");
        handler(request, response);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
    });
    beforeEach(() => {
      asked = [];
    });
    after(() => server.close());

    it("may be a graph, which is fetched once and then found in the cache by its digest", async () => {
      const bytes = await model();
      handler = (_, response) => void response.end(bytes);
      const { sha256, folder } = await fetched(url("/v1/loan.onnx"));
      expect(await readdir(folder)).to.deep.equal(["model.onnx"]);
      asked = [];
      expect(await fetched(url("/v1/loan.onnx"), { MODEL_SHA256: sha256 })).to.include({ folder, sha256 });
      expect(asked).to.deep.equal([]);
    });

    it("may be a folder, whose optional files may be absent", async () => {
      const bytes = await model();
      handler = (request, response) => {
        if (request.url === "/loan/model.onnx") response.end(bytes);
        else if (request.url === "/loan/metadata.json") response.end('{"version":"9"}');
        else response.writeHead(404).end();
      };
      const { folder } = await fetched(url("/loan/"));
      expect((await readdir(folder)).sort()).to.deep.equal(["metadata.json", "model.onnx"]);
    });

    for (const [status, reason, permanent] of [
      [404, "ArtifactNotFound", true],
      [401, "AccessDenied", true],
      [403, "AccessDenied", true],
      [418, "SourceUnavailable", true],
    ] as const) {
      it(`is ${reason} for ${status}, at once`, async () => {
        handler = (_, response) => void response.writeHead(status).end("no");
        expect(await refused(url("/loan.onnx"))).to.include({ reason, permanent });
        expect(asked).to.have.length(1);
      });
    }

    it("is asked for again when the server fails or the connection breaks", async () => {
      const bytes = await model();
      handler = (request, response) => {
        if (asked.length === 1) response.writeHead(503).end();
        else if (asked.length === 2)
          response
            .writeHead(200, { "content-length": bytes.length })
            .write(bytes.subarray(0, 10), () => response.destroy());
        else response.end(bytes);
      };
      expect(await fetched(url("/flaky.onnx"))).to.include({ bytes: bytes.length });
      expect(asked).to.have.length(3);
    });

    it("goes on where the connection broke, as long as the file is the same", async () => {
      const bytes = randomBytes(4 * 1024 ** 2);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      let etag = '"one"';
      const starts: number[] = [];
      handler = (request, response) => {
        const { range, "if-range": condition } = request.headers;
        const from = condition === etag ? Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]) : 0;
        starts.push(from);
        const headers = { etag, "content-length": bytes.length - from };
        if (from === 0) response.writeHead(200, headers);
        else
          response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
        if (starts.length > 1) return void response.end(bytes.subarray(from));
        response.write(bytes.subarray(0, bytes.length / 2), () => {
          if (request.url === "/replaced.onnx") etag = '"two"';
          response.destroy();
        });
      };
      expect(await fetched(url("/broken.onnx"))).to.include({ sha256, bytes: bytes.length });
      expect(starts).to.have.length(2);
      expect(starts[1]).to.be.within(1, bytes.length / 2);

      starts.length = 0;
      expect(await fetched(url("/replaced.onnx"), { MODEL_CACHE_DIR: scratch.path("replaced") })).to.include({
        sha256,
      });
      expect(starts).to.deep.equal([0, 0]);
    });

    it("is fetched to the end over a link that breaks at every turn", async () => {
      const bytes = randomBytes(7 * 1024 ** 2);
      handler = (request, response) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
        response.writeHead(from === 0 ? 200 : 206, {
          etag: '"one"',
          "content-length": bytes.length - from,
          "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
        });
        const to = from + Math.ceil(bytes.length / 7);
        response.write(bytes.subarray(from, to), () => (to < bytes.length ? response.destroy() : response.end()));
      };
      expect(await fetched(url("/flaky.onnx"))).to.include({ bytes: bytes.length });
      expect(asked).to.have.length.of.at.least(7); // five attempts are all, had none of them advanced
    });

    it("starts over when the server sends another part than asked for", async () => {
      const bytes = await model();
      handler = (request, response) => {
        const isSecond = request.headers.range !== undefined;
        response.writeHead(isSecond ? 206 : 200, {
          etag: '"one"',
          "content-length": bytes.length,
          ...(isSecond && { "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}` }),
        });
        response.write(bytes.subarray(0, 10), () =>
          asked.length === 1 ? response.destroy() : response.end(bytes.subarray(10)),
        );
      };
      expect(await fetched(url("/mistaken.onnx"))).to.include({ bytes: bytes.length });
    });

    it("is refused before its first byte when the server says that it is too large", async () => {
      handler = (_, response) => response.writeHead(200, { "content-length": 300_000 }).flushHeaders();
      expect(await refused(url("/large.onnx"), { MAX_ARTIFACT_BYTES: "200000" })).to.include({
        reason: "ArtifactTooLarge",
      });
    });

    it("is never unpacked or kept when its digest is another", async () => {
      const before = await cachedFolders();
      handler = (_, response) => void response.end("something else");
      expect(await refused(url("/loan.onnx"), { MODEL_SHA256: "ab".repeat(32) })).to.include({
        reason: "DigestMismatch",
      });
      expect(await cachedFolders()).to.deep.equal(before);
    });

    it("is given up when it is larger than allowed, at the first byte too many", async () => {
      handler = (_, response) => {
        const more = (): void => void response.write(Buffer.alloc(64 * 1024), (error) => error ?? more());
        more();
      };
      expect(await refused(url("/endless.onnx"), { MAX_ARTIFACT_BYTES: "200000" })).to.include({
        reason: "ArtifactTooLarge",
      });
    });

    it("is given up at the deadline", async () => {
      handler = () => undefined;
      const error = await refused(url("/silent.onnx"), { LOAD_DEADLINE_SECONDS: "1" });
      expect(error).to.include({ reason: "SourceUnavailable", permanent: false });
      expect(error.message).to.match(/not here after 1 s/);
    });

    it("is not another framework's file", async () => {
      expect((await refused(url("/model.pkl"))).message).to.match(
        /model\.pkl is a pickled model.*joblib\.load\("model\.pkl"\)/,
      );
    });

    it("may redirect, and the credentials go to its own origin only", async () => {
      const bytes = await model();
      const seen: (string | undefined)[] = [];
      const other = createServer((request, response) => {
        seen.push(request.headers.authorization);
        response.end(bytes);
      }).listen(0, "127.0.0.1");
      await once(other, "listening");
      handler = (request, response) => {
        seen.push(request.headers.authorization);
        const next =
          request.url === "/a.onnx" ? "/b.onnx" : `http://127.0.0.1:${(other.address() as AddressInfo).port}/c.onnx`;
        response.writeHead(302, { location: next }).end();
      };
      await fetched(url("/a.onnx").replace("http://", "http://ada:secret@")).finally(() => other.close());
      const basic = `Basic ${Buffer.from("ada:secret").toString("base64")}`;
      expect(seen).to.deep.equal([basic, basic, undefined]);
    });

    it("is not followed in circles, to link-local addresses, or off this machine by plain HTTP", async () => {
      for (const [location, message] of [
        ["/again.onnx", /more than 5 redirects/],
        ["http://169.254.169.254/latest/", /link-local/],
        ["http://models.example.com/x.onnx", /plain http/],
        ["ftp://127.0.0.1/x.onnx", /ftp:\/\/, which is not followed/],
      ] as const) {
        handler = (_, response) => void response.writeHead(307, { location }).end();
        const error = await refused(url("/start.onnx"));
        expect(error.message).to.match(message);
        expect(error.permanent).to.equal(true);
      }
    });

    it("keeps its credentials out of every message", async () => {
      handler = (_, response) => void response.writeHead(403).end();
      const { message } = await refused(
        url("/loan.onnx?X-Signature=hunter2").replace("http://", "http://ada:hunter2@"),
      );
      expect(message).to.not.include("hunter2").and.not.include("ada");
    });
  });

  describe("at an HTTPS address", () => {
    it("is trusted by the CA that NODE_EXTRA_CA_CERTS names, and refused without", async () => {
      const bytes = await readFile(fixturePath("regressor.onnx"));
      const [key, cert] = await Promise.all([
        readFile(fixturePath("tls/key.pem")),
        readFile(fixturePath("tls/cert.pem")),
      ]);
      const server = createTlsServer({ key, cert }, (request, response) => {
        if (request.url === "/down.onnx") response.writeHead(302, { location: `http://127.0.0.1/model.onnx` }).end();
        else response.end(bytes);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      try {
        const uri = `https://localhost:${(server.address() as AddressInfo).port}`;
        const MODEL_CACHE_DIR = scratch.path("tls-cache");
        const TERMINATION_MESSAGE_PATH = scratch.path("termination");
        const trusting = {
          MODEL_CACHE_DIR,
          TERMINATION_MESSAGE_PATH,
          NODE_EXTRA_CA_CERTS: fixturePath("tls/cert.pem"),
        };

        await using trusted = new RuntimeProcess({ ...trusting, MODEL_URI: `${uri}/model.onnx` });
        await trusted.logged("ready");
        await using downgraded = new RuntimeProcess({ ...trusting, MODEL_URI: `${uri}/down.onnx` });
        expect(await downgraded.exited).to.equal(1);
        expect(await scratch.text("termination")).to.match(
          /redirected from https:\/\/ to http:\/\/127\.0\.0\.1\/model\.onnx, which is not followed/,
        );
        expect(await refused(`${uri}/model.onnx`))
          .to.include({ reason: "SourceUnavailable", permanent: true })
          .and.have.property("message")
          .that.includes("NODE_EXTRA_CA_CERTS");
      } finally {
        server.close();
      }
    });
  });
});
