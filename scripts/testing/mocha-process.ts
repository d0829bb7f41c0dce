/**
 * Runs test files with mocha, one after the other; its argument is a Task as JSON. Tells its parent each result, and ends
 * the process when a file's tests take too long or leave something open, saying what.
 */
import { resolve } from "node:path";
import Mocha from "mocha";
import settings from "../../.mocharc.json" with { type: "json" };
import { FILE_SEPARATOR } from "./task.ts";
import type { Report, Task } from "./task.ts";

/** From the last test's end until nothing is open, for sockets and processes to close; unless a file has less in all. */
const CLOSING_SECONDS = 5;

const { files, timeoutSeconds, grep, forbidSkipped } = JSON.parse(process.argv[2] ?? "") as Task;
const report = (message: Report): boolean | undefined => process.send?.(message);

/** Resolves when the file's tests are over. */
async function run(file: string): Promise<void> {
  let current = "loading";
  const tooLong = giveUpAfter(
    timeoutSeconds * 1_000,
    () => `${file} took more than ${timeoutSeconds} s, in: ${current}`,
  );
  const stuck = (): never => giveUp(`${file} ended in: ${current}`);
  process.once("beforeExit", stuck);
  const mocha = new Mocha({
    timeout: settings.timeout,
    forbidOnly: settings["forbid-only"],
    reporter: "spec",
    forbidPending: forbidSkipped ?? false,
    ...(grep !== undefined && { fgrep: grep }),
  });
  mocha.addFile(resolve(file));
  await mocha.loadFilesAsync();
  await new Promise<void>((over) => {
    mocha
      .run(() => over())
      .on("test", (test) => (current = test.fullTitle()))
      .on("hook", (hook) => (current = hook.fullTitle()))
      .on("pass", () => report("passed"))
      .on("pending", () => report("skipped"))
      .on("fail", () => report("failed"));
  });
  clearTimeout(tooLong);
  process.off("beforeExit", stuck);
}

/** Resolves when nothing is left that would keep a process alive. */
async function closed(file: string): Promise<void> {
  const patienceMs = Math.min(CLOSING_SECONDS, timeoutSeconds) * 1_000;
  const open = giveUpAfter(patienceMs, () => `${file} is done but left something open; close it in an after hook`);
  await new Promise<void>((resolveClosed) => process.once("beforeExit", () => resolveClosed()));
  clearTimeout(open);
}

/** A timer without a reference: it runs only if something else keeps the process alive. */
function giveUpAfter(milliseconds: number, reason: () => string): NodeJS.Timeout {
  return setTimeout(() => giveUp(reason()), milliseconds).unref();
}

/** The parent counts it as a failure of the file, and has those after it run in another process. */
function giveUp(reason: string): never {
  console.error(`\n${reason}\nstill open: ${process.getActiveResourcesInfo().join(", ") || "nothing else"}`);
  process.exit(1);
}

for (const [index, file] of files.entries()) {
  if (index > 0) for (const stream of [process.stdout, process.stderr]) stream.write(FILE_SEPARATOR);
  await run(file);
  await closed(file);
  report("closed");
}
