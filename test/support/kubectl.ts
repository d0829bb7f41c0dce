import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./programs.ts";

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the stock kubectl against one cluster and namespace. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<Output>;

export async function stockKubectl(kubeconfig: string, namespace: string): Promise<Kubectl> {
  const program = await findProgram("kubectl");
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
