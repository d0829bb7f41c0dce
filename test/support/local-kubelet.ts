import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Program } from "../../local/kubelet/programs.ts";

/** A local kubelet in a process of its own that also runs these images, whose pods are processes of this machine; resolves once its Node is ready. */
export async function startLocalKubelet(
  kubeconfig: string,
  programs: readonly Program[] = [],
): Promise<{ pid: number; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "kubelet-"));
  const args = [
    "local/kubelet/main.ts",
    "--kubeconfig",
    kubeconfig,
    "--folder",
    folder,
    "--cpu",
    "64",
    "--memory",
    "256Gi",
    "--longest-pre-stop",
    "1",
    ...programs.flatMap((program) => ["--program", JSON.stringify(program)]),
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes("the node is ready")) resolve();
    });
    void ended.then(() =>
      reject(new Error(`the kubelet ended with ${child.exitCode ?? child.signalCode} before its node was ready`)),
    );
  });
  await ready;
  return {
    pid: child.pid ?? 0,
    close: async () => {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
