import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { BlobServiceClient } from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { expect } from "chai";

import { readConfig } from "../../runtime/config.ts";
import { azureStore } from "../../runtime/source/azure.ts";
import { gcsStore } from "../../runtime/source/gcs.ts";
import type { ObjectStore } from "../../runtime/source/object-store.ts";
import { Fetching } from "../runtime/support/fetching.ts";
import { Scratch } from "../runtime/support/scratch.ts";

const FOLDER = "examples/loan/1.0.0";
const bucket = `models-${process.pid}`;

/** The loan example as `loan/1.0.0/…`, and its graph alone. */
async function upload(put: (key: string, bytes: Buffer) => Promise<unknown>): Promise<void> {
  for (const name of await readdir(FOLDER)) await put(`loan/1.0.0/${name}`, await readFile(join(FOLDER, name)));
  await put("alone.onnx", await readFile(join(FOLDER, "model.onnx")));
}

function behavesAsASource(scheme: string, fetching: Fetching, store: () => ObjectStore): void {
  it("goes on where a download broke, unless the object was replaced", async () => {
    const whole = await readFile(join(FOLDER, "model.onnx"));
    const { signal } = new AbortController();
    const { etag, size } = await store().open("alone.onnx", signal);
    expect(size).to.equal(whole.length);
    for (const [held, from] of [
      [{ offset: 1000, etag: etag ?? "" }, 1000],
      [{ offset: 1000, etag: '"1"' }, 0],
    ] as const) {
      const { body, offset } = await store().open("alone.onnx", signal, held);
      expect(offset).to.equal(from);
      expect(Buffer.concat(await Array.fromAsync(body))).to.deep.equal(whole.subarray(from));
    }
  });

  it("has the digest of the same folder on disk, with and without the final slash", async () => {
    const { sha256 } = await fetching.fetched(FOLDER);
    expect(await fetching.fetched(`${scheme}://${bucket}/loan/1.0.0/`)).to.include({ sha256 });
    expect(await fetching.fetched(`${scheme}://${bucket}/loan/1.0.0`)).to.include({ sha256 });
  });

  it("may be a single graph", async () => {
    const { sha256 } = await fetching.fetched(join(FOLDER, "model.onnx"));
    expect(await fetching.fetched(`${scheme}://${bucket}/alone.onnx`)).to.include({ sha256 });
  });

  it("is not found where there is nothing", async () => {
    for (const place of [`${bucket}/nothing/`, `${bucket}/nothing.onnx`, "no-such-bucket/loan/"])
      expect(await fetching.refused(`${scheme}://${place}`), place).to.include({ reason: "ArtifactNotFound" });
  });
}

// Needs fake-gcs-server (a Go module), whose http:// address is in GCS_URL.
describe("An artifact in Google Cloud Storage", () => {
  const url = process.env["GCS_URL"] ?? "";
  const fetching = new Fetching(new Scratch(), () => ({ STORAGE_EMULATOR_HOST: url }));

  before(async () => {
    expect(url, "GCS_URL").to.match(/^http/);
    const [created] = await new Storage({ apiEndpoint: url, projectId: "test" }).createBucket(bucket);
    await upload((key, bytes) => created.file(key).save(bytes, { resumable: false }));
  });

  behavesAsASource("gs", fetching, () =>
    gcsStore({ uri: "", bucket, key: "" }, readConfig({ MODEL_URI: "gs://", STORAGE_EMULATOR_HOST: url })),
  );

  it("keeps a damaged key out of the message", async () => {
    const environment = { STORAGE_EMULATOR_HOST: "", GOOGLE_CREDENTIALS: "not-json-secret" };
    expect(await fetching.refused(`gs://${bucket}/loan/`, environment, ["not-json-secret"])).to.include({
      reason: "InvalidConfiguration",
    });
  });
});

// Needs Azurite (npm), whose connection string is in AZURITE.
describe("An artifact in Azure Blob Storage", () => {
  const connection = process.env["AZURITE"] ?? "";
  const fetching = new Fetching(new Scratch(), () => ({ AZURE_STORAGE_CONNECTION_STRING: connection }));

  before(async () => {
    expect(connection, "AZURITE").to.match(/AccountKey=/);
    const container = BlobServiceClient.fromConnectionString(connection).getContainerClient(bucket);
    await container.create();
    await upload((key, bytes) => container.getBlockBlobClient(key).uploadData(bytes));
  });

  behavesAsASource("az", fetching, () =>
    azureStore(
      { uri: "", bucket, key: "" },
      readConfig({ MODEL_URI: "az://", AZURE_STORAGE_CONNECTION_STRING: connection }),
    ),
  );

  it("is denied with another key, which appears in no message", async () => {
    const key = Buffer.from("another key").toString("base64");
    const other = connection.replace(/AccountKey=[^;]*/, `AccountKey=${key}`);
    const environment = { AZURE_STORAGE_CONNECTION_STRING: other };
    expect(await fetching.refused(`az://${bucket}/loan/1.0.0/`, environment, [key])).to.include({
      reason: "AccessDenied",
    });
    const none = { AZURE_STORAGE_CONNECTION_STRING: "" };
    expect(await fetching.refused(`az://${bucket}/loan/`, none)).to.include({ reason: "InvalidConfiguration" });
  });
});
