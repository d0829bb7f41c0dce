import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { basename } from "node:path";

import { LoadError } from "../load-error.ts";
import type { Origin } from "./origin.ts";

/** An archive on this machine, which has to be unpacked as a downloaded one has. */
export function fileOrigin(path: string, uri: string): Origin {
  return {
    list: async () => [{ path: basename(path), whole: true }],
    open: async () => {
      await access(path).catch((cause: unknown) => {
        throw new LoadError(
          "ArtifactNotFound",
          `loading ${uri}: ${path} cannot be read; check the path and the volume mount`,
          { cause },
        );
      });
      return { body: createReadStream(path), offset: 0, etag: undefined, size: undefined };
    },
  };
}
