/** A place that artifacts are downloaded from. Its methods throw LoadErrors; those that are not permanent are retried. */
export interface Origin {
  /** The files to fetch: one archive, one graph, or those of a folder. */
  list(signal: AbortSignal): Promise<readonly OriginFile[]>;
  /** The bytes of a file; undefined when an optional one does not exist. */
  open(file: OriginFile, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface OriginFile {
  /** Relative to the artifact's folder. */
  readonly path: string;
  /** May be absent at the origin. */
  readonly optional?: boolean;
  /** The artifact is this one file, whose bytes are what `sha256` pins. */
  readonly whole?: boolean;
}
