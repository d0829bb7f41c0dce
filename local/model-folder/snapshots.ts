import { constants } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { digestsOf, modelFiles, signatureOf, type ModelFiles } from "./model-files.ts";

/** The served one, its predecessor and what one may want to go back to. */
const KEPT = 10;
const UNFINISHED = ".unfinished-";

/** A model as it was at one moment; later edits do not reach it. */
export interface Snapshot {
  readonly digest: string;
  /** The copy. */
  readonly path: string;
  /** As a ModelDeployment's source. */
  readonly source: { readonly uri: string; readonly sha256: string };
}

/** Copies of one model, each in a folder named by the digest of its bytes: the same bytes are the same source again. */
export class Snapshots {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /**
   * Undefined when the model is being written, or is not there, so that there is no one moment to keep.
   * @throws the file system's error when it cannot be read for another reason; LoadError for a folder of too many files
   */
  async take(model: string): Promise<Snapshot | undefined> {
    await mkdir(this.root, { recursive: true });
    const copy = await mkdtemp(join(this.root, UNFINISHED));
    try {
      const files = await modelFiles(model);
      const before = await signatureOf(files);
      if (files.files.length === 0) return undefined;
      await copyTo(copy, files);
      if ((await signatureOf(await modelFiles(model))) !== before) return undefined;
      return await this.keep({ ...files, folder: copy });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }

  /** Whether this source is one of the copies. */
  holds(uri: string): boolean {
    return uri.startsWith(`${pathToFileURL(this.root).href}/`);
  }

  /** All but the newest and those of whose digests `isNamed` says so. Not while one is being taken. */
  async forgetOld(isNamed: (digest: string) => boolean): Promise<void> {
    const names = await readdir(this.root);
    const aged = await Promise.all(
      names
        .filter((name) => !name.startsWith(UNFINISHED))
        .map(async (name) => ({ name, at: (await stat(join(this.root, name))).mtimeMs })),
    );
    const newest = new Set(
      aged
        .sort((a, b) => b.at - a.at)
        .slice(0, KEPT)
        .map(({ name }) => name),
    );
    // What is unfinished was left by a process that was killed.
    const old = names.filter((name) => name.startsWith(UNFINISHED) || !(newest.has(name) || isNamed(name)));
    for (const name of old) await rm(join(this.root, name), { recursive: true, force: true });
  }

  private async keep(copied: ModelFiles): Promise<Snapshot> {
    const { all, pin } = await digestsOf(copied);
    const folder = join(this.root, all);
    if (!(await exists(folder))) await rename(copied.folder, folder);
    const now = new Date();
    await utimes(folder, now, now);
    const path = copied.file === undefined ? folder : join(folder, copied.file);
    const uri = pathToFileURL(path).href + (copied.file === undefined ? "/" : "");
    return { digest: all, path, source: { uri, sha256: pin } };
  }
}

async function copyTo(target: string, { folder, files }: ModelFiles): Promise<void> {
  for (const { path } of files) {
    const to = join(target, path);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(join(folder, path), to, constants.COPYFILE_FICLONE);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
