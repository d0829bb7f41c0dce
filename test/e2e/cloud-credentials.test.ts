import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobServiceClient,
  StorageSharedKeyCredential,
  generateAccountSASQueryParameters,
} from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { expect } from "chai";

import { RuntimeProcess } from "../runtime/support/runtime-process.ts";
import { Scratch } from "../runtime/support/scratch.ts";
import { Internet, handOn } from "./internet/internet.ts";

const FOLDER = "examples/loan/1.0.0";
const bucket = `secured-${process.pid}`;

async function upload(put: (key: string, bytes: Buffer) => Promise<unknown>): Promise<void> {
  for (const name of await readdir(FOLDER)) await put(`loan/${name}`, await readFile(join(FOLDER, name)));
}

/** A runtime that has these credentials and no other way to the outside. */
class Guarded {
  readonly #scratch = new Scratch();
  #count = 0;

  /** Its log when it serves, or its termination message when it does not; neither holds any of `secrets`. */
  async start(environment: Readonly<Record<string, string>>, secrets: readonly string[]): Promise<string> {
    this.#count += 1;
    const TERMINATION_MESSAGE_PATH = this.#scratch.path(`message-${this.#count}`);
    const MODEL_CACHE_DIR = this.#scratch.path(`cache-${this.#count}`);
    const own = { TERMINATION_MESSAGE_PATH, MODEL_CACHE_DIR, LOG_LEVEL: "trace" };
    await using runtime = new RuntimeProcess({ ...own, ...environment });
    const ready = runtime.logged("ready").then(
      () => true,
      () => false,
    );
    const message = (await ready) ? "" : await this.#scratch.text(`message-${this.#count}`);
    for (const secret of secrets) expect(runtime.log + message).to.not.include(secret);
    return message === "" ? runtime.log : message;
  }
}

// Needs Azurite (npm), whose connection string is in AZURITE.
describe("az:// with the credentials of", function () {
  this.timeout(60_000);
  const connection = process.env["AZURITE"] ?? "";
  const guarded = new Guarded();
  const part = (name: string): string => new RegExp(`${name}=([^;]+)`).exec(connection)?.[1] ?? "";
  let internet: Internet;
  let account: string;
  let key: string;
  let target: URL;
  const MODEL_URI = `az://${bucket}/loan/`;

  before(async () => {
    expect(connection, "AZURITE").to.match(/AccountKey=/);
    [account, key, target] = [part("AccountName"), part("AccountKey"), new URL(part("BlobEndpoint"))];
    const container = BlobServiceClient.fromConnectionString(connection).getContainerClient(bucket);
    await container.create();
    await upload((name, bytes) => container.getBlockBlobClient(name).uploadData(bytes));
    internet = await Internet.open({
      [`${account}.blob.core.windows.net`]: (request, response) => handOn(request, response, target),
    });
  });
  after(() => internet?.close());

  const sas = (permissions: string, expiresInMs = 3_600_000): string =>
    generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + expiresInMs),
        permissions: AccountSASPermissions.parse(permissions),
        resourceTypes: AccountSASResourceTypes.parse("co").toString(),
        services: AccountSASServices.parse("b").toString(),
      },
      new StorageSharedKeyCredential(account, key),
    ).toString();
  const signatureOf = (token: string): string => new URLSearchParams(token).get("sig") ?? "";
  const outside = (): Readonly<Record<string, string>> => ({
    ...internet.environment,
    MODEL_URI,
    AZURE_STORAGE_ACCOUNT: account,
  });

  it("the account's key", async () => {
    expect(await guarded.start({ ...outside(), AZURE_STORAGE_KEY: key }, [key])).to.include('"ready"');
    const other = Buffer.from("another key").toString("base64");
    expect(await guarded.start({ ...outside(), AZURE_STORAGE_KEY: other }, [other])).to.include("AccessDenied");
  });

  it("a shared access signature, with or without its question mark", async () => {
    const token = sas("rl");
    for (const AZURE_STORAGE_SAS_TOKEN of [token, `?${token}`]) {
      const secrets = [signatureOf(token), encodeURIComponent(signatureOf(token))];
      expect(await guarded.start({ ...outside(), AZURE_STORAGE_SAS_TOKEN }, secrets)).to.include('"ready"');
    }
  });

  it("a shared access signature that is over, or allows something else", async () => {
    for (const token of [sas("rl", -60_000), sas("w")]) {
      const said = await guarded.start({ ...outside(), AZURE_STORAGE_SAS_TOKEN: token }, [signatureOf(token)]);
      expect(said).to.include("AccessDenied");
    }
  });

  it("a connection string, with the key or with a signature", async () => {
    const token = sas("rl");
    const signed = `BlobEndpoint=${part("BlobEndpoint")};SharedAccessSignature=${token}`;
    for (const AZURE_STORAGE_CONNECTION_STRING of [connection, signed]) {
      const environment = { MODEL_URI, AZURE_STORAGE_CONNECTION_STRING };
      expect(await guarded.start(environment, [key, signatureOf(token)])).to.include('"ready"');
    }
  });
});

// Needs fake-gcs-server (a Go module), whose http:// address is in GCS_URL.
describe("gs:// with the key of a service account", function () {
  this.timeout(60_000);
  const url = process.env["GCS_URL"] ?? "";
  const guarded = new Guarded();
  const TOKEN = "ya29.a-token-for-the-bucket";
  const email = "models@project.iam.gserviceaccount.com";
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  let internet: Internet;
  const seen: string[] = [];
  let refusesDownloads = false;

  before(async () => {
    expect(url, "GCS_URL").to.match(/^http/);
    const [created] = await new Storage({ apiEndpoint: url, projectId: "test" }).createBucket(bucket);
    await upload((name, bytes) => created.file(name).save(bytes, { resumable: false }));
    internet = await Internet.open({
      "oauth2.googleapis.com": (request, response) =>
        void tokenFor(request).then((token) =>
          response
            .writeHead(token === undefined ? 400 : 200, { "content-type": "application/json" })
            .end(JSON.stringify(token ?? { error: "invalid_grant", error_description: "Invalid JWT Signature." })),
        ),
      "storage.googleapis.com": (request, response) => {
        seen.push(request.headers.authorization ?? "none");
        if (request.headers.authorization !== `Bearer ${TOKEN}`) response.writeHead(403).end("{}");
        else if (refusesDownloads && request.url?.includes("alt=media"))
          response.writeHead(400).end(`you sent ${TOKEN}`);
        else handOn(request, response, new URL(url), new URL(url).host);
      },
    });
  });
  after(() => internet?.close());

  /** What Google gives for an assertion that the account's key has signed. */
  async function tokenFor(request: IncomingMessage): Promise<object | undefined> {
    const asked = new URLSearchParams(await text(request));
    const [head = "", claims = "", signature = ""] = (asked.get("assertion") ?? "").split(".");
    const { iss, scope } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { iss: string; scope: string };
    expect(iss).to.equal(email);
    expect(scope).to.match(/devstorage|cloud-platform/);
    const signed = Buffer.from(`${head}.${claims}`);
    const isOurs = verify("sha256", signed, createPublicKey(publicKey), Buffer.from(signature, "base64url"));
    return isOurs ? { access_token: TOKEN, expires_in: 3600, token_type: "Bearer" } : undefined;
  }

  const credentials = (key: string): string =>
    JSON.stringify({ type: "service_account", project_id: "project", client_email: email, private_key: key });

  it("is read with the token that the key is exchanged for", async () => {
    const environment = { MODEL_URI: `gs://${bucket}/loan/`, GOOGLE_CREDENTIALS: credentials(privateKey) };
    const [, line = ""] = privateKey.split("\n");
    const said = await guarded.start({ ...internet.environment, ...environment }, [TOKEN, line]);
    expect(said).to.include('"ready"');
    expect(new Set(seen)).to.deep.equal(new Set([`Bearer ${TOKEN}`]));
  });

  it("is not told in the log when what refuses a download repeats it", async () => {
    refusesDownloads = true;
    const environment = { MODEL_URI: `gs://${bucket}/loan/`, GOOGLE_CREDENTIALS: credentials(privateKey) };
    const limits = { LOAD_DEADLINE_SECONDS: "5" };
    const said = await guarded.start({ ...internet.environment, ...environment, ...limits }, [TOKEN]);
    refusesDownloads = false;
    expect(said).to.include("SourceUnavailable");
  });

  it("is denied with another's key", async () => {
    const other = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    }).privateKey;
    const environment = { MODEL_URI: `gs://${bucket}/loan/`, GOOGLE_CREDENTIALS: credentials(other) };
    const said = await guarded.start({ ...internet.environment, ...environment }, [other.split("\n")[1] ?? ""]);
    expect(said).to.include("AccessDenied");
  });
});
