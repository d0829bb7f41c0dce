/**
 * Runs one test file with mocha; its argument is a Task as JSON. Tells its parent each result, and ends the process when
 * the tests take too long or leave something open, saying what.
 */
import { resolve } from "node:path";
import Mocha from "mocha";
import settings from "../../.mocharc.json" with { type: "json" };

export interface Task {
  readonly file: string;
  /** Of the whole file; then it counts as failed. */
  readonly timeoutSeconds: number;
  /** Only tests whose full title contains this. */
  readonly grep?: string;
  readonly forbidSkipped?: boolean;
}

export type Report = "passed" | "failed" | "skipped" | "finished";

/** From the last test's end to the exit, for sockets and processes to close. */
const CLOSING_MS = 5_000;

const { file, timeoutSeconds, grep, forbidSkipped } = JSON.parse(process.argv[2] ?? "") as Task;
const report = (message: Report): boolean | undefined => process.send?.(message);

const mocha = new Mocha({
  timeout: settings.timeout,
  forbidOnly: settings["forbid-only"],
  reporter: "spec",
  forbidPending: forbidSkipped ?? false,
  ...(grep !== undefined && { fgrep: grep }),
});
mocha.addFile(resolve(file));
await mocha.loadFilesAsync();

let current = "loading";
// Timers without a reference: they run only if something else keeps the process alive.
setTimeout(() => giveUp(`took more than ${timeoutSeconds} s, in: ${current}`), timeoutSeconds * 1_000).unref();

mocha
  .run((failures) => {
    process.exitCode = failures > 0 ? 1 : 0;
    report("finished");
    setTimeout(() => giveUp(`is done but left something open; close it in an after hook`), CLOSING_MS).unref();
  })
  .on("test", (test) => (current = test.fullTitle()))
  .on("hook", (hook) => (current = hook.fullTitle()))
  .on("pass", () => report("passed"))
  .on("pending", () => report("skipped"))
  .on("fail", () => report("failed"));

/** The parent counts it as a failure by the exit code. */
function giveUp(reason: string): void {
  console.error(`\n${file} ${reason}\nstill open: ${process.getActiveResourcesInfo().join(", ") || "nothing else"}`);
  process.exit(1);
}
