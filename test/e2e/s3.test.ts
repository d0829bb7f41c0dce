import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../runtime/config.ts";
import { LoadError } from "../../runtime/load-error.ts";
import { s3Store } from "../../runtime/source/s3.ts";
import { fetchArtifact } from "../../runtime/source/artifact.ts";
import type { Artifact } from "../../runtime/source/artifact.ts";
import { RuntimeProcess } from "../runtime/support/runtime-process.ts";
import { Scratch } from "../runtime/support/scratch.ts";

const FOLDER = "examples/loan/1.0.0";
const FILES = ["model.onnx", "preprocessor.onnx", "metadata.json", "golden.json"];

// Needs a running moto server (PyPI `moto[server]`), whose address is in MOTO_URL.
describe("An artifact in S3", () => {
  const scratch = new Scratch();
  const endpoint = process.env["MOTO_URL"] ?? "";
  const bucket = `models-${process.pid}`;
  const credentials = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret-key", AWS_ENDPOINT_URL: endpoint };

  before(async () => {
    expect(endpoint, "MOTO_URL").to.match(/^http/);
    const client = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "key", secretAccessKey: "secret-key" },
    });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const put = async (Key: string, Body: Buffer | string): Promise<void> =>
      void (await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body })));
    await put("loan/1.0.0/", "");
    for (const file of FILES) await put(`loan/1.0.0/${file}`, await readFile(join(FOLDER, file)));
    await put("alone.onnx", await readFile(join(FOLDER, "model.onnx")));
    await put("climbing//model.onnx", "x");
    client.destroy();
  });

  function fetched(uri: string, environment: Record<string, string> = {}): Promise<Artifact> {
    const config = readConfig({
      MODEL_URI: uri,
      MODEL_CACHE_DIR: scratch.path("cache"),
      ...credentials,
      ...environment,
    });
    return fetchArtifact(config, pino({ level: "silent" }), new AbortController().signal);
  }

  async function refused(uri: string, environment: Record<string, string> = {}): Promise<LoadError> {
    const error: unknown = await fetched(uri, environment).catch((error: unknown) => error);
    expect(error).to.be.instanceOf(LoadError);
    expect((error as LoadError).message).to.not.include("secret-key");
    return error as LoadError;
  }

  it("has the digest of the same folder on disk, with and without the final slash", async () => {
    const { sha256 } = await fetched(FOLDER);
    expect(await fetched(`s3://${bucket}/loan/1.0.0/`)).to.include({ sha256 });
    expect(await fetched(`s3://${bucket}/loan/1.0.0`, { MODEL_SHA256: sha256 })).to.include({ sha256 });
  });

  it("may be a single graph", async () => {
    expect((await fetched(`s3://${bucket}/alone.onnx`)).sha256).to.equal(
      (await fetched(join(FOLDER, "model.onnx"))).sha256,
    );
  });

  it("goes on where a download broke, unless the object was replaced", async () => {
    const whole = await readFile(join(FOLDER, "model.onnx"));
    const store = s3Store({ uri: "", bucket, key: "" }, readConfig({ MODEL_URI: "s3://", ...credentials }));
    const { signal } = new AbortController();
    const { etag = "" } = await store.open("alone.onnx", signal);
    for (const [held, from] of [
      [{ offset: 1000, etag }, 1000],
      [{ offset: 1000, etag: '"1"' }, 0],
      [{ offset: whole.length, etag }, 0],
    ] as const) {
      const { body, offset, size } = await store.open("alone.onnx", signal, held);
      expect({ offset, size }).to.deep.equal({ offset: from, size: whole.length });
      expect(Buffer.concat(await Array.fromAsync(body))).to.deep.equal(whole.subarray(from));
    }
  });

  it("is read with a web identity's token, as EKS gives it to a pod", async () => {
    const token = join(await scratch.folder({ token: "header.payload.signature" }), "token");
    await using runtime = new RuntimeProcess({
      MODEL_URI: `s3://${bucket}/loan/1.0.0/`,
      MODEL_CACHE_DIR: scratch.path("web-identity"),
      AWS_ENDPOINT_URL: endpoint,
      AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/models",
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ENDPOINT_URL_STS: endpoint,
      AWS_EC2_METADATA_DISABLED: "true",
    });
    await runtime.logged("ready");
    expect(runtime.log).to.not.include("signature");
  });

  it("is served", async () => {
    await using runtime = new RuntimeProcess({
      ...credentials,
      MODEL_URI: `s3://${bucket}/loan/1.0.0/`,
      MODEL_CACHE_DIR: scratch.path("served"),
    });
    await runtime.logged("ready");
    expect(runtime.log).to.not.include("secret-key");
  });

  it("is not found, denied, mistaken or unavailable, each with its reason", async () => {
    for (const [uri, environment, reason] of [
      [`s3://${bucket}/nothing/`, {}, "ArtifactNotFound"],
      [`s3://${bucket}/nothing.onnx`, {}, "ArtifactNotFound"],
      [`s3://no-such-bucket/loan/`, {}, "ArtifactNotFound"],
      [`s3://${bucket}/climbing/`, {}, "InvalidModel"],
      [`s3://${bucket}/loan/1.0.0/`, { MODEL_SHA256: "00".repeat(32) }, "DigestMismatch"],
      [`s3://${bucket}/loan/1.0.0/`, { MAX_ARTIFACT_BYTES: "100" }, "ArtifactTooLarge"],
      [`s3://${bucket}/loan/1.0.0/`, { AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, "SourceUnavailable"],
    ] as const) {
      expect(await refused(uri, environment), uri).to.include({ reason });
    }
  });
});
