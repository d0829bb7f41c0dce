/** A place that artifacts are downloaded from. Its methods throw LoadErrors; those that are not permanent are retried. */
export interface Origin {
  /** The files to fetch: one archive, one graph, or those of a folder. */
  list(signal: AbortSignal): Promise<readonly OriginFile[]>;
  /**
   * The bytes of a file, from `held.offset` on if the origin can and the file is still the same; undefined when an
   * optional one does not exist.
   */
  open(file: OriginFile, signal: AbortSignal, held?: HeldPart): Promise<OpenedFile | undefined>;
}

export interface OriginFile {
  /** Relative to the artifact's folder. */
  readonly path: string;
  /** May be absent at the origin. */
  readonly optional?: boolean;
  /** The artifact is this one file, whose bytes are what `sha256` pins. */
  readonly whole?: boolean;
  /** It is a layer to be unpacked over those before it, of which only this folder (ending with `/`; "" is all) counts. */
  readonly layerOf?: string;
  /** What the origin's own listing says that the bytes hash to. */
  readonly sha256?: string;
}

/** The beginning of a file that an interrupted attempt left here. */
export interface HeldPart {
  readonly offset: number;
  /** The state of the file that it is of. */
  readonly etag: string;
}

export interface OpenedFile {
  readonly body: AsyncIterable<Uint8Array>;
  /** Where in the file the body begins: 0, or the held part's offset. */
  readonly offset: number;
  /** Names this state of the file; undefined when the origin cannot resume. */
  readonly etag: string | undefined;
  /** Bytes of the whole file, where the origin says so. */
  readonly size: number | undefined;
}
