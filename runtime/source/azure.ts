import type { Readable } from "node:stream";

import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { failureInWords } from "./object-store.ts";
import type { ObjectLocation, ObjectStore } from "./object-store.ts";
import type { OpenedFile } from "./origin.ts";

const OPTIONS = { retryOptions: { maxTries: 1 } }; // we retry ourselves, and say so in the log

export function azureStore({ uri, bucket: name }: ObjectLocation, config: Config): ObjectStore {
  const container = serviceClient(config, uri).getContainerClient(name);
  return {
    async keys(prefix, most, abortSignal) {
      const keys: string[] = [];
      try {
        for await (const { name } of container.listBlobsFlat({ prefix, abortSignal })) {
          keys.push(name);
          if (keys.length === most) break;
        }
      } catch (cause) {
        throw azureError(cause, uri, name);
      }
      return keys;
    },
    async open(key, abortSignal, held): Promise<OpenedFile> {
      const offset = held?.offset ?? 0;
      const options = { abortSignal, maxRetryRequests: 0, ...(held && { conditions: { ifMatch: held.etag } }) };
      try {
        const answer = await container.getBlobClient(key).download(offset, undefined, options);
        const { readableStreamBody, etag, contentLength: left } = answer;
        // In Node, the SDK's streams are these.
        const body = readableStreamBody as Readable;
        return { body, offset, etag, size: left === undefined ? undefined : offset + left };
      } catch (cause) {
        // 412: overwritten in the meantime; 416: all of it was here.
        if (held !== undefined && [412, 416].includes(statusOf(cause) ?? 0)) return this.open(key, abortSignal);
        throw azureError(cause, uri, name);
      }
    },
  };
}

function serviceClient(config: Config, uri: string): BlobServiceClient {
  const { azureConnectionString, azureAccount, azureKey, azureSasToken } = config;
  try {
    if (azureConnectionString !== undefined)
      return BlobServiceClient.fromConnectionString(azureConnectionString, OPTIONS);
    if (azureAccount !== undefined) {
      const address = `https://${azureAccount}.blob.core.windows.net`;
      if (azureKey !== undefined)
        return new BlobServiceClient(address, new StorageSharedKeyCredential(azureAccount, azureKey), OPTIONS);
      return new BlobServiceClient(
        azureSasToken ? `${address}?${azureSasToken.replace(/^\?/, "")}` : address,
        undefined,
        OPTIONS,
      );
    }
  } catch {
    // Not the cause: it could quote the key.
  }
  throw new LoadError(
    "InvalidConfiguration",
    `loading ${uri}: az:// needs a valid AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN: set source.secretRef`,
  );
}

const statusOf = (cause: unknown): number | undefined => (cause as { statusCode?: number }).statusCode;

function azureError(cause: unknown, uri: string, container: string): LoadError {
  const { code, message } = cause as { code?: string; message: string };
  const status = statusOf(cause);
  const failure = failureInWords(status, code, message);
  if (status === 404)
    return new LoadError("ArtifactNotFound", `loading ${uri}: there is no such container or blob; check the path`, {
      cause,
    });
  if (status === 401 || status === 403)
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: Azure says ${failure}; check the secret's AZURE_STORAGE_ variables, and that they may list and read container ${container}`,
      { cause },
    );
  return new LoadError("SourceUnavailable", `loading ${uri}: Azure says ${failure}`, { cause });
}
