import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { isGraph, noModel, notAGraph } from "../model/files.ts";
import { isArchive } from "./archive-name.ts";
import { liftSingleFolder, unpack } from "./archive.ts";
import { requireDigest } from "./digest.ts";
import { folderDigest, listFiles, tooLarge } from "./file-tree.ts";
import type { OpenedFile, Origin, OriginFile } from "./origin.ts";
import { PartialFile } from "./partial-file.ts";
import { withRetries } from "./retry.ts";
import { requireSafePath } from "./safe-path.ts";

export interface DownloadContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** For messages. */
  readonly uri: string;
}

/** A connection that sends nothing for this long is given up and tried again. */
const STALL_MS = 30_000;
const PROGRESS_MS = 5_000;

/** Fetches everything into the empty folder and returns its digest, verified. Throws a LoadError or the signal's reason. */
export function download(origin: Origin, folder: string, context: DownloadContext): Promise<string> {
  const { config, logger, uri } = context;
  return beforeDeadline(uri, config, context.signal, async (signal) => {
    const files = await withRetries(() => origin.list(signal), logger, signal);
    const progress = new Progress(config.maxArtifactBytes, uri, logger);
    const [first] = files;
    if (first?.whole) return fetchWhole(origin, first, folder, progress, { ...context, signal });

    const fetch = (file: OriginFile): Promise<void> =>
      fetchPart(origin, file, folder, progress, { ...context, signal });
    const known = await requireListedGraph(files, fetch, folder, uri);
    for (const file of files) if (file !== known) await fetch(file);
    if (files.some(({ layerOf }) => layerOf !== undefined)) await liftSingleFolder(folder);
    const sha256 = await folderDigest(folder, await listFiles(folder, uri, config.maxArtifactBytes));
    requireDigest(uri, sha256, config.modelSha256);
    return sha256;
  });
}

/** Throws a LoadError (SourceUnavailable) when the work has not ended within LOAD_DEADLINE_SECONDS. */
export async function beforeDeadline<T>(
  uri: string,
  { loadDeadlineSeconds }: Config,
  stop: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(loadDeadlineSeconds * 1000);
  try {
    return await work(AbortSignal.any([stop, deadline]));
  } catch (error) {
    if (!deadline.aborted || error instanceof LoadError) throw error;
    throw new LoadError(
      "SourceUnavailable",
      `loading ${uri}: not here after ${loadDeadlineSeconds} s; raise LOAD_DEADLINE_SECONDS, or bring the model nearer`,
      { cause: error },
    );
  }
}

/** Refuses before gigabytes are fetched what the listing shows to be no ONNX model. Returns what it had to fetch for that. */
async function requireListedGraph(
  files: readonly OriginFile[],
  fetch: (file: OriginFile) => Promise<void>,
  folder: string,
  uri: string,
): Promise<OriginFile | undefined> {
  if (files.some(({ path, layerOf }) => layerOf !== undefined || isGraph(path))) return undefined;
  const mlmodel = files.find(({ path }) => path === "MLmodel");
  if (mlmodel === undefined)
    throw noModel(
      files.map(({ path }) => path),
      uri,
    );
  await fetch(mlmodel);
  const { readMlflowModel } = await import("../model/mlflow.ts");
  await readMlflowModel(folder, uri);
  return mlmodel;
}

async function fetchPart(
  origin: Origin,
  file: OriginFile,
  folder: string,
  progress: Progress,
  context: DownloadContext,
): Promise<void> {
  const { config, uri, signal } = context;
  if (file.layerOf === undefined) {
    await fetchFile(origin, file, join(folder, requireSafePath(file.path, uri)), progress, context);
    return;
  }
  const path = join(folder, ".layer");
  await fetchFile(origin, file, path, progress, context);
  await unpack(path, file.path, folder, {
    source: uri,
    maxBytes: config.maxArtifactBytes,
    signal,
    layerOf: file.layerOf,
  });
  await rm(path);
}

/** A single file is verified before anything is unpacked from it. */
async function fetchWhole(
  origin: Origin,
  file: OriginFile,
  folder: string,
  progress: Progress,
  context: DownloadContext,
): Promise<string> {
  const { config, uri, signal } = context;
  if (!isArchive(file.path) && !isGraph(file.path)) throw notAGraph(file.path, uri);
  const path = join(folder, ".whole");
  const sha256 = await fetchFile(origin, file, path, progress, context);
  requireDigest(uri, sha256, config.modelSha256);
  if (isArchive(file.path)) {
    await unpack(path, file.path, folder, { source: uri, maxBytes: config.maxArtifactBytes, signal });
    await rm(path);
    await liftSingleFolder(folder);
  } else {
    await rename(path, join(folder, "model.onnx"));
  }
  return sha256;
}

/** Returns the file's digest; of an optional file that does not exist, an empty string. */
async function fetchFile(
  origin: Origin,
  file: OriginFile,
  path: string,
  progress: Progress,
  context: DownloadContext,
): Promise<string> {
  const { logger, signal, uri } = context;
  await mkdir(dirname(path), { recursive: true });
  const partial = new PartialFile(path);
  let held = 0;
  const attempt = async (): Promise<string> => {
    const stall = new StallTimer();
    try {
      const opened = await origin.open(file, AbortSignal.any([signal, stall.signal]), partial.held);
      if (opened === undefined) return "";
      const received = progress.start(file.path, opened);
      await partial.append(opened, (bytes) => {
        stall.restart();
        received(bytes);
      });
      return partial.digest();
    } catch (error) {
      throw error instanceof LoadError ? error : interrupted(error as NodeJS.ErrnoException, stall, file, uri);
    } finally {
      stall.stop();
    }
  };
  const advanced = (): boolean => {
    const before = held;
    held = partial.held?.offset ?? 0;
    return held > before;
  };
  const sha256 = await withRetries(attempt, logger, signal, advanced);
  progress.finish();
  if (file.sha256 !== undefined && sha256 !== file.sha256) throw damaged(file, sha256, uri);
  return sha256;
}

function damaged({ path, sha256: expected }: OriginFile, sha256: string, uri: string): LoadError {
  return new LoadError(
    "DigestMismatch",
    `loading ${uri}: ${path} has sha256 ${sha256}, its listing says ${expected}; upload it again`,
  );
}

function interrupted(error: NodeJS.ErrnoException, stall: StallTimer, file: OriginFile, uri: string): LoadError {
  if (error.code === "ENOSPC" || error.code === "EDQUOT") {
    return new LoadError(
      "ArtifactTooLarge",
      `loading ${uri}: no space is left in MODEL_CACHE_DIR for ${file.path}; give its volume more`,
      { cause: error },
    );
  }
  // An SDK's numeric code is the status of an answer, whose text may hold what was sent: credentials, too.
  const { code, message } = error as { code?: unknown; message: string };
  const said = typeof code === "number" ? `status ${code}` : message;
  const why = stall.signal.aborted ? `nothing came for ${STALL_MS / 1000} s` : said;
  return new LoadError("SourceUnavailable", `loading ${uri}: fetching ${file.path} was interrupted: ${why}`, {
    cause: error,
  });
}

class StallTimer {
  readonly #controller = new AbortController();
  readonly #timer = setTimeout(() => this.#controller.abort(new Error("stalled")), STALL_MS);

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Bounds the bytes of all files together, and tells the log how a long download is doing. */
class Progress {
  readonly #maxBytes: number;
  readonly #uri: string;
  readonly #logger: Logger;
  #finished = 0;
  #current = 0;
  #reported = performance.now();

  constructor(maxBytes: number, uri: string, logger: Logger) {
    this.#maxBytes = maxBytes;
    this.#uri = uri;
    this.#logger = logger;
  }

  finish(): void {
    this.#finished += this.#current;
    this.#current = 0;
  }

  /** Begins a file, or an attempt at the same file. Returns what is to be called with each chunk's bytes. */
  start(file: string, { offset, size }: OpenedFile): (bytes: number) => void {
    this.#current = offset;
    this.#require(this.#finished + (size ?? 0));
    return (bytes) => {
      this.#current += bytes;
      this.#require(this.#finished + this.#current);
      if (performance.now() - this.#reported < PROGRESS_MS) return;
      this.#reported = performance.now();
      const ofFile = size === undefined ? {} : { file_bytes: this.#current, of: size };
      this.#logger.info({ source: this.#uri, file, bytes: this.#finished + this.#current, ...ofFile }, "downloading");
    };
  }

  #require(bytes: number): void {
    if (bytes > this.#maxBytes) throw tooLarge(this.#uri, this.#maxBytes);
  }
}
