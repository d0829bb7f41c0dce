/**
 * Runs the tests, each file of those that start processes in one of its own, and prints `N passed, N failed` last.
 * See `node scripts/test.ts --help`.
 */
import { existsSync, globSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { runFiles } from "./testing/run-files.ts";
import type { FileResult } from "./testing/run-files.ts";
import { schedule } from "./testing/schedule.ts";

/** Above this, files that start clusters and processes of their own disturb each other's timing. */
const MOST_JOBS = 4;

const command = new Command("npm test --")
  .description(
    "Runs everything that needs only Node; with --cluster the integration suites on a real cluster, with --faults the fault suites, with --parity the embedded API server against a real one.",
  )
  .argument(
    "[path...]",
    "test files or folders; with --cluster also folders of test/integration, such as `objects`; with --faults files of test/faults, such as `kills`",
  )
  .option("--cluster", "use the cluster of KUBECONFIG, or start one from the binaries in KUBEBUILDER_ASSETS", false)
  .option("--faults", "as --cluster, or on the embedded API server where the environment names no cluster", false)
  .option(
    "--parity",
    "send the same requests to the embedded API server and to that of KUBECONFIG or KUBEBUILDER_ASSETS",
    false,
  )
  .option("--long", "with --faults: each fault at its full length, and after each single write", false)
  .option("--grep <text>", "only tests whose full title contains this")
  .option("--forbid-skipped", "count a test that skips itself as failed", false)
  .option("--jobs <n>", "files at a time", positiveInteger, defaultJobs())
  .option(
    "--timeout <seconds>",
    "for one file; by default 180, with --cluster or --faults 900, with --long 3600",
    positiveInteger,
  )
  .option("--verbose", "print every test's title, also of files in which all passed", false)
  .parse();
const flags = command.opts<{
  cluster: boolean;
  faults: boolean;
  parity: boolean;
  long: boolean;
  grep?: string;
  forbidSkipped: boolean;
  jobs: number;
  timeout?: number;
  verbose: boolean;
}>();

const root = join(import.meta.dirname, "..");
process.chdir(root);

if (flags.cluster && !process.env["KUBECONFIG"] && !process.env["KUBEBUILDER_ASSETS"])
  command.error("--cluster needs KUBECONFIG (a running cluster) or KUBEBUILDER_ASSETS (a folder with kube-apiserver)");
if (flags.parity && !process.env["KUBECONFIG"] && !process.env["KUBEBUILDER_ASSETS"])
  command.error(
    "--parity needs a real API server of Kubernetes 1.36 without controllers: KUBECONFIG, or KUBEBUILDER_ASSETS as `setup-envtest use 1.36 -p path` prints it",
  );

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort(signal));

const files = testFiles(command.args);
const surroundings = { environment: environment(), signal: interrupted.signal };
// Suites that share one cluster take turns.
const results = await runAll(files, mayUseCluster() ? 1 : flags.jobs);
process.exitCode = summarise(results);

function mayUseCluster(): boolean {
  return flags.cluster || flags.faults || flags.parity;
}

function testFiles(paths: readonly string[]): string[] {
  if (flags.faults)
    return paths.length > 0 ? paths.flatMap((name) => filesIn(`test/faults/${name}.test.ts`)) : filesIn("test/faults");
  if (flags.parity) return (paths.length > 0 ? paths : ["api"]).flatMap((path) => filesIn(`test/parity/${path}`));
  if (flags.cluster) {
    const suites = paths.map((path) => (path.startsWith("test/") ? path : join("test/integration", path)));
    return (suites.length > 0 ? suites : ["test/integration"]).flatMap(filesIn);
  }
  if (paths.length > 0) return paths.flatMap(filesIn);
  return filesIn("test").filter(
    (file) => !file.startsWith("test/e2e/") && !file.startsWith("test/faults/") && !file.startsWith("test/parity/"),
  );
}

function filesIn(path: string): string[] {
  if (!existsSync(path)) command.error(`there is no ${path}: give test files or folders that exist`);
  if (!statSync(path).isDirectory()) return [relative(root, path)];
  return globSync(`${relative(root, path)}/**/*.test.ts`).toSorted();
}

function environment(): NodeJS.ProcessEnv {
  const { KUBECONFIG, KUBEBUILDER_ASSETS, ...rest } = process.env;
  return {
    // Starts of Node, of which the tests make many, need not compile the same sources again.
    NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"),
    ...(process.stdout.isTTY && !process.env["NO_COLOR"] && { FORCE_COLOR: "1" }),
    ...rest,
    // A KUBECONFIG that was left in the shell must not lead `npm test` to somebody's cluster.
    ...(flags.long && { FAULTS: "long" }),
    ...(mayUseCluster() && { ...(KUBECONFIG && { KUBECONFIG }), ...(KUBEBUILDER_ASSETS && { KUBEBUILDER_ASSETS }) }),
  };
}

async function runAll(all: readonly string[], lanes: number): Promise<FileResult[]> {
  const { grep, forbidSkipped, timeout: timeoutSeconds = defaultTimeout() } = flags;
  const results: FileResult[] = [];
  const waiting = schedule(all).values();
  const lane = async (): Promise<void> => {
    for (const together of waiting) {
      if (interrupted.signal.aborted) return;
      const task = { files: together, timeoutSeconds, forbidSkipped, ...(grep && { grep }) };
      for (const result of await runFiles(task, surroundings)) {
        results.push(result);
        report(result);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, all.length) }, lane));
  return results;
}

/** One more than there are processors: files also wait, for intervals and other processes. */
function defaultJobs(): number {
  return Math.min(availableParallelism() + 1, MOST_JOBS);
}

/** Seconds. */
function defaultTimeout(): number {
  if (flags.long) return 3_600;
  return mayUseCluster() ? 900 : 180;
}

function report({ file, passed, failed, skipped, seconds, output }: FileResult): void {
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  if (flags.verbose || failed > 0) process.stdout.write(`\n${output.trimEnd()}\n`);
  console.log(`${failed > 0 ? "✗" : "✓"} ${file}: ${counts.filter(Boolean).join(", ")} (${seconds.toFixed(1)} s)`);
}

/** @returns the exit code */
function summarise(results: readonly FileResult[]): number {
  const total = (count: "passed" | "failed" | "skipped"): number => results.reduce((sum, r) => sum + r[count], 0);
  const [passed, failed, skipped] = [total("passed"), total("failed"), total("skipped")];
  if (interrupted.signal.aborted) {
    console.error(`interrupted: ${files.length - results.length} of ${files.length} files did not run`);
    return 130;
  }
  const unsuccessful = results.filter((result) => result.failed > 0).map(({ file }) => `  ${file}`);
  if (unsuccessful.length > 0) console.log(`\nFailed in:\n${unsuccessful.join("\n")}`);
  if (skipped > 0) console.log(`\n${skipped} skipped (--verbose says which)`);
  const nothingRan = passed + failed === 0;
  if (nothingRan) console.error(`no test ran${flags.grep ? `: no title contains "${flags.grep}"` : ""}`);
  console.log(`\n${passed} passed, ${failed + (nothingRan ? 1 : 0)} failed`);
  return failed > 0 || nothingRan ? 1 : 0;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Give a whole number above 0.");
}
