import { addAbortSignal } from "node:stream";

import { Storage } from "@google-cloud/storage";
import type { StorageOptions } from "@google-cloud/storage";
import { JWT } from "google-auth-library";
import * as z from "zod";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { failureInWords, giveCredentials } from "./object-store.ts";
import type { ObjectLocation, ObjectStore } from "./object-store.ts";

export function gcsStore({ uri, bucket: name }: ObjectLocation, config: Config): ObjectStore {
  const bucket = new Storage(clientOptions(config, uri)).bucket(name);
  const refused = (cause: unknown): never => {
    throw gcsError(cause, uri, name, config);
  };
  return {
    async keys(prefix, most) {
      const [files] = await bucket.getFiles({ prefix, maxResults: most, autoPaginate: false }).catch(refused);
      return files.map((file) => file.name);
    },
    async open(key, signal, held) {
      const [{ generation, size }] = await bucket.file(key).getMetadata().catch(refused);
      const etag = String(generation);
      const offset = held?.etag === etag ? held.offset : 0;
      const body = bucket.file(key, { generation: etag }).createReadStream({ start: offset, validation: false });
      return { body: addAbortSignal(signal, body), offset, etag, size: Number(size) };
    },
  };
}

function clientOptions({ googleCredentials, storageEmulatorHost }: Config, uri: string): StorageOptions {
  const retryOptions = { autoRetry: false, maxRetries: 0 }; // we retry ourselves, and say so in the log
  if (storageEmulatorHost !== undefined)
    return { retryOptions, apiEndpoint: storageEmulatorHost, projectId: "emulated" };
  if (googleCredentials === undefined) return { retryOptions };
  const { client_email: email, private_key: key } = serviceAccountKey(googleCredentials, uri);
  return { retryOptions, authClient: new JWT({ email, key, scopes: [READ_ONLY] }) };
}

const READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only";
const SERVICE_ACCOUNT_KEY = z.object({
  type: z.literal("service_account"),
  client_email: z.string(),
  private_key: z.string(),
});

function serviceAccountKey(text: string, uri: string): z.infer<typeof SERVICE_ACCOUNT_KEY> {
  try {
    return SERVICE_ACCOUNT_KEY.parse(JSON.parse(text));
  } catch {
    // Not the cause: it could quote the key.
    throw new LoadError(
      "InvalidConfiguration",
      `loading ${uri}: GOOGLE_CREDENTIALS is not the JSON of a service account key`,
    );
  }
}

function gcsError(cause: unknown, uri: string, bucket: string, { googleCredentials }: Config): LoadError {
  const { code, message } = cause as { code?: number | string; message: string };
  const failure =
    typeof code === "number" ? failureInWords(code, undefined, "") : failureInWords(undefined, code, message);
  if (code === 404)
    return new LoadError("ArtifactNotFound", `loading ${uri}: there is no such bucket or object; check the path`, {
      cause,
    });
  const lacksIdentity = googleCredentials === undefined && (code === 401 || /default credentials/.test(message));
  if (lacksIdentity)
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: Google says ${failure}, and there are no credentials; ${giveCredentials("GKE's workload identity")}`,
      { cause },
    );
  if (code === 401 || code === 403 || /invalid_grant|invalid_client/.test(message))
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: Google says ${failure}; check GOOGLE_CREDENTIALS of the secret, and that they may list and read bucket ${bucket}`,
      { cause },
    );
  return new LoadError("SourceUnavailable", `loading ${uri}: Google says ${failure}`, { cause });
}
