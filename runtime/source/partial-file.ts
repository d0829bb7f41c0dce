import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { open } from "node:fs/promises";

import type { HeldPart, OpenedFile } from "./origin.ts";

/** A file that arrives in one or more attempts, each of which goes on where the one before was cut off. */
export class PartialFile {
  readonly #path: string;
  #hash: Hash = createHash("sha256");
  #offset = 0;
  #etag: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined while there is nothing to go on from. */
  get held(): HeldPart | undefined {
    return this.#etag === undefined || this.#offset === 0 ? undefined : { offset: this.#offset, etag: this.#etag };
  }

  /** Writes the body where it belongs. What arrived before a failure stays. */
  async append({ body, offset, etag, size }: OpenedFile, onBytes: (bytes: number) => void): Promise<void> {
    if (offset !== this.#offset) this.#startOver();
    this.#etag = etag;
    const file = await open(this.#path, this.#offset === 0 ? "w" : "a", 0o600);
    try {
      for await (const chunk of body) {
        onBytes(chunk.length);
        await file.appendFile(chunk);
        this.#hash.update(chunk);
        this.#offset += chunk.length;
      }
    } finally {
      await file.close();
    }
    if (size !== undefined && this.#offset !== size) throw new Error(`${this.#offset} of ${size} bytes arrived`);
  }

  /** SHA-256 of all that arrived, in hex. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  #startOver(): void {
    this.#hash = createHash("sha256");
    this.#offset = 0;
  }
}
