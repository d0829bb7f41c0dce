import type { Readable } from "node:stream";

import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import type { S3ClientConfig } from "@aws-sdk/client-s3";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { failureInWords, giveCredentials } from "./object-store.ts";
import type { ObjectLocation, ObjectStore } from "./object-store.ts";
import type { OpenedFile } from "./origin.ts";

export function s3Store({ uri, bucket }: ObjectLocation, config: Config): ObjectStore {
  const client = new S3Client(clientConfig(config));
  return {
    async keys(prefix, most, signal) {
      const keys: string[] = [];
      let next: string | undefined;
      do {
        const page = { ...(next !== undefined && { ContinuationToken: next }) };
        const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...page });
        const answer = await client.send(command, { abortSignal: signal }).catch((cause: unknown) => {
          throw s3Error(cause, uri, bucket);
        });
        keys.push(...(answer.Contents ?? []).flatMap(({ Key }) => Key ?? []));
        next = answer.NextContinuationToken;
      } while (next !== undefined && keys.length < most);
      return keys;
    },
    async open(key, signal, held): Promise<OpenedFile> {
      const part = held && { Range: `bytes=${held.offset}-`, IfMatch: held.etag };
      const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...part });
      try {
        const answer = await client.send(command, { abortSignal: signal });
        const { Body, ETag: etag, ContentLength: left, ContentRange: range } = answer;
        const offset = range === undefined ? 0 : (held?.offset ?? 0); // not every vendor's S3 knows ranges
        // In Node, the SDK's streams are these.
        return { body: Body as Readable, offset, etag, size: left === undefined ? undefined : offset + left };
      } catch (cause) {
        // 412: overwritten in the meantime; 416: all of it was here.
        if (held !== undefined && [412, 416].includes(statusOf(cause) ?? 0)) return this.open(key, signal);
        throw s3Error(cause, uri, bucket);
      }
    },
  };
}

function clientConfig(config: Config): S3ClientConfig {
  const {
    awsAccessKeyId: accessKeyId,
    awsSecretAccessKey: secretAccessKey,
    awsSessionToken: sessionToken,
    awsEndpointUrl: endpoint,
  } = config;
  return {
    region: config.awsRegion,
    maxAttempts: 1, // we retry ourselves, and say so in the log
    forcePathStyle: config.s3ForcePathStyle ?? endpoint !== undefined,
    responseChecksumValidation: "WHEN_REQUIRED", // other vendors' S3 knows no newer checksums
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
}

function statusOf(cause: unknown): number | undefined {
  return (cause as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

const DENIED =
  /AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|AllAccessDisabled|Credentials/;
const ABSENT = /NoSuchKey|NoSuchBucket|NotFound/;

function s3Error(cause: unknown, uri: string, bucket: string): LoadError {
  const { name, message } = cause as Error;
  const status = statusOf(cause);
  // Without a status the name is the SDK's own: TimeoutError, Error and so on; its message says more.
  const failure = failureInWords(status, status === undefined ? undefined : name, message);
  if (name === "CredentialsProviderError") {
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: there are no AWS credentials; ${giveCredentials("AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE")}`,
      { cause },
    );
  }
  if (ABSENT.test(name) || status === 404) {
    const what = name === "NoSuchBucket" ? `there is no bucket ${bucket}` : "there is no such object";
    return new LoadError(
      "ArtifactNotFound",
      `loading ${uri}: ${what}; check the path, AWS_ENDPOINT_URL and AWS_REGION`,
      { cause },
    );
  }
  if (DENIED.test(name) || status === 401 || status === 403) {
    return new LoadError(
      "AccessDenied",
      `loading ${uri}: S3 says ${failure}; check the secret's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may list and read bucket ${bucket}`,
      { cause },
    );
  }
  if (status === 301 || status === 400) {
    const region = /expecting '([a-z]{2}[a-z0-9-]{1,30})'/.exec(message)?.[1];
    return new LoadError(
      "InvalidConfiguration",
      `loading ${uri}: S3 says ${failure}; is AWS_REGION the bucket's?${region === undefined ? "" : ` It says ${region}`}`,
      { cause },
    );
  }
  return new LoadError("SourceUnavailable", `loading ${uri}: S3 says ${failure}`, { cause });
}
