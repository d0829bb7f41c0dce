import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { findProgram } from "../../support/programs.ts";
import { startClusters } from "../clusters.ts";
import type { Clusters } from "../clusters.ts";

/** A command without its program; in the environment `{folder}` is where it runs. */
export type Compare = (args: string, environment?: Readonly<Record<string, string>>) => Promise<void>;

interface Options {
  /** Other programs than the one that `findProgram` finds, separated as in PATH. */
  readonly others: string | undefined;
  /** Writes what the commands read. */
  readonly prepare: (folder: string) => Promise<void>;
  /** The output without what two clusters cannot have in common. */
  readonly masked: (output: string) => string;
}

/** A suite for each of the programs, whose `compare` fails when a command does not say the same of both clusters. */
export function compareClusters(
  name: "kubectl" | "helm",
  { others = "", prepare, masked }: Options,
  suite: (compare: Compare) => void,
): void {
  for (const other of [undefined, ...others.split(":").filter(Boolean)])
    describe(`${name} on the embedded cluster as on a real one${other ? ` (${other.split("/").at(-1)})` : ""}`, function () {
      this.timeout(150_000);
      let clusters: Clusters;
      let folder: string;
      let program: string;

      before(async () => {
        program = other ?? (await findProgram(name));
        clusters = await startClusters(`parity-${randomBytes(3).toString("hex")}`);
        folder = await mkdtemp(join(tmpdir(), `parity-${name}-`));
        await prepare(folder);
      });
      after(async () => {
        await clusters?.close();
        if (folder) await rm(folder, { recursive: true, force: true });
      });

      async function run(kubeconfig: string, args: string, environment: Readonly<Record<string, string>>) {
        const filled = Object.entries(environment).map(([key, value]) => [key, value.replace("{folder}", folder)]);
        const env = {
          PATH: process.env["PATH"],
          HOME: join(folder, kubeconfig.replaceAll("/", "_")), // what it caches is of one cluster
          KUBECONFIG: kubeconfig,
          ...(Object.fromEntries(filled) as Record<string, string>),
        };
        return new Promise((resolve) => {
          const all = ["--namespace", clusters.namespace, ...args.split(" ")];
          execFile(program, all, { cwd: folder, timeout: 90_000, env }, (error, stdout, stderr) => {
            const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
            resolve({ code, stdout: masked(stdout), stderr: masked(stderr) });
          });
        });
      }

      suite(async (args, environment = {}) => {
        const files = [clusters.embedded, clusters.real];
        const [embedded, real] = await Promise.all(files.map((file) => run(file, args, environment)));
        expect(embedded).to.deep.equal(real);
      });
    });
}
