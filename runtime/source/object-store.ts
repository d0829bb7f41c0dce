import { basename } from "node:path";

import { LoadError } from "../load-error.ts";
import type { HeldPart, OpenedFile, Origin } from "./origin.ts";

export interface ObjectLocation {
  readonly uri: string;
  /** Azure calls it a container. */
  readonly bucket: string;
  readonly key: string;
}

/** A cloud's storage of objects. Its methods throw LoadErrors. */
export interface ObjectStore {
  /** At most `most` keys that begin with the prefix. */
  keys(prefix: string, most: number, signal: AbortSignal): Promise<readonly string[]>;
  open(key: string, signal: AbortSignal, held?: HeldPart): Promise<OpenedFile>;
}

const MAX_OBJECTS = 1000;

/** What to do when there are no credentials at all; `identity` is how this cloud calls a pod's own. */
export const giveCredentials = (identity: string): string =>
  `set source.secretRef, or give the pod's service account an identity (${identity})`;

/**
 * How a request to a cloud failed: its status with the service's own code for it, else what the SDK says of the network.
 * Never the text of an answer: the error page of a proxy may hold what it was sent, credentials too.
 */
export function failureInWords(status: number | undefined, code: unknown, message: string): string {
  const name = typeof code === "string" && /^\w{1,64}$/.test(code) ? code : undefined;
  if (status !== undefined) return name === undefined ? `status ${status}` : `${name} (status ${status})`;
  return name ?? message.split("\n")[0]?.slice(0, 300) ?? "nothing";
}

/** A key with a file's ending is a single object, any other a prefix that stands for a folder. */
export function objectOrigin({ uri, bucket, key }: ObjectLocation, store: ObjectStore): Origin {
  const isFile = /\.[a-z0-9]{1,8}$/i.test(key) && !/\.\d+$/.test(key); // 1.0.0 is a version, not a file
  const prefix = key === "" || key.endsWith("/") ? key : `${key}/`;
  return {
    async list(signal) {
      if (isFile) return [{ path: basename(key), whole: true }];
      const keys = await store.keys(prefix, MAX_OBJECTS + 1, signal);
      if (keys.length > MAX_OBJECTS)
        throw new LoadError(
          "ArtifactTooLarge",
          `loading ${uri}: more than ${MAX_OBJECTS} objects; is it the model's folder?`,
        );
      const paths = keys
        .map((found) => found.slice(prefix.length))
        .filter((path) => path !== "" && !path.endsWith("/") && !/(?:^|\/)\./.test(path));
      if (paths.length === 0)
        throw new LoadError(
          "ArtifactNotFound",
          `loading ${uri}: no object in ${bucket} begins with ${prefix || "the empty prefix"}; check the path`,
        );
      return paths.map((path) => ({ path }));
    },
    open: ({ path }, signal, held) => store.open(isFile ? key : prefix + path, signal, held),
  };
}
