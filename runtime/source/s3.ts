import { basename } from "node:path";
import type { Readable } from "node:stream";

import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import type { S3ClientConfig } from "@aws-sdk/client-s3";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import type { HeldPart, OpenedFile, Origin, OriginFile } from "./origin.ts";

interface S3Location {
  readonly uri: string;
  readonly bucket: string;
  readonly key: string;
}

const MAX_OBJECTS = 1000;

/** A key with a file's ending is a single object, any other a prefix that stands for a folder. */
export function s3Origin({ uri, bucket, key }: S3Location, config: Config): Origin {
  const client = new S3Client(clientConfig(config));
  const isFile = /\.[a-z0-9]{1,8}$/i.test(key) && !/\.\d+$/.test(key); // 1.0.0 is a version, not a file
  const prefix = key === "" || key.endsWith("/") ? key : `${key}/`;

  const list = async (signal: AbortSignal): Promise<readonly OriginFile[]> => {
    if (isFile) return [{ path: basename(key), whole: true }];
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: MAX_OBJECTS });
    const { Contents = [], IsTruncated } = await client
      .send(command, { abortSignal: signal })
      .catch((cause: unknown) => {
        throw s3Error(cause, uri, bucket);
      });
    if (IsTruncated)
      throw new LoadError(
        "ArtifactTooLarge",
        `loading ${uri}: more than ${MAX_OBJECTS} objects; is it the model's folder?`,
      );
    const paths = Contents.flatMap(({ Key }) => Key?.slice(prefix.length) || []).filter(
      (path) => !path.endsWith("/") && !/(?:^|\/)\./.test(path),
    );
    if (paths.length === 0)
      throw new LoadError(
        "ArtifactNotFound",
        `loading ${uri}: no object in bucket ${bucket} begins with ${prefix || "the empty prefix"}; check the path`,
      );
    return paths.map((path) => ({ path }));
  };

  const open = async ({ path }: OriginFile, signal: AbortSignal, held?: HeldPart): Promise<OpenedFile> => {
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: isFile ? key : prefix + path,
      ...(held && { Range: `bytes=${held.offset}-`, IfMatch: held.etag }),
    });
    try {
      const answer = await client.send(command, { abortSignal: signal });
      const { Body, ETag: etag, ContentLength: left, ContentRange: range } = answer;
      const offset = range === undefined ? 0 : (held?.offset ?? 0); // not every vendor's S3 knows ranges
      // In Node, the SDK's streams are these.
      return { body: Body as Readable, offset, etag, size: left === undefined ? undefined : offset + left };
    } catch (cause) {
      // 412: overwritten in the meantime; 416: all of it was here.
      if (held !== undefined && [412, 416].includes(statusOf(cause) ?? 0)) return open({ path }, signal);
      throw s3Error(cause, uri, bucket);
    }
  };
  return { list, open };
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
      `loading ${uri}: S3 says ${name}; check the secret's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may list and read bucket ${bucket}`,
      { cause },
    );
  }
  if (status === 301 || status === 400) {
    return new LoadError(
      "InvalidConfiguration",
      `loading ${uri}: S3 says ${name}: ${message}; is AWS_REGION the bucket's?`,
      { cause },
    );
  }
  return new LoadError("SourceUnavailable", `loading ${uri}: S3 says ${name}: ${message}`, { cause });
}
