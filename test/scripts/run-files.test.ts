import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { runFiles } from "../../scripts/testing/run-files.ts";
import type { FileResult, Surroundings } from "../../scripts/testing/run-files.ts";
import type { Task } from "../../scripts/testing/task.ts";
import { eventually } from "../support/eventually.ts";

describe("A test file that", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "run-files-"));
  });
  after(() => rm(folder, { recursive: true }));

  const runAll = async (
    sources: readonly string[],
    options: Partial<Task & Surroundings> = {},
  ): Promise<FileResult[]> => {
    const { signal = new AbortController().signal, environment = process.env, ...task } = options;
    const files = sources.map((_, index) => join(folder, `planted-${index}.test.mjs`));
    for (const [index, file] of files.entries()) await writeFile(file, sources[index] ?? "");
    return runFiles({ files, timeoutSeconds: 60, ...task }, { environment, signal });
  };
  const run = async (source: string, options: Partial<Task & Surroundings> = {}): Promise<FileResult> => {
    const [result] = await runAll([source], options);
    if (result === undefined) throw new Error("the file has no result");
    return result;
  };

  for (const [what, source, counts, output] of [
    [
      "passes, fails and skips is counted test by test",
      `it("a", () => {}); it("b", () => {}); it("c", () => { throw new Error("no"); }); it.skip("d", () => {});`,
      { passed: 2, failed: 1, skipped: 1 },
      "Error: no",
    ],
    ["cannot be loaded has failed", `import "./missing.mjs";`, { passed: 0, failed: 1, skipped: 0 }, "missing.mjs"],
    ["holds no test has failed", `export {};`, { passed: 0, failed: 1, skipped: 0 }, "holds no test"],
    [
      "ends its process in the middle has failed, even with exit code 0",
      `it("a", () => {}); it("b", () => process.exit(0)); it("c", () => {});`,
      { passed: 1, failed: 1, skipped: 0 },
      "ended with exit code 0",
    ],
    ["is left with .only has failed", `it.only("a", () => {});`, { passed: 0, failed: 1, skipped: 0 }, "only"],
    [
      "waits for what never comes has failed",
      `await new Promise(() => {});`,
      { passed: 0, failed: 1 },
      "ended in: loading",
    ],
    [
      "breaks after its last test has failed",
      `it("a", () => { setTimeout(() => { throw new Error("late"); }, 50); });`,
      { passed: 1, failed: 1, skipped: 0 },
      "late",
    ],
  ] as const) {
    it(what, async () => {
      const result = await run(source);
      expect(result).to.include(counts);
      expect(result.output).to.include(output);
    });
  }

  it("skips a test has failed where that is forbidden", async () => {
    const source = `it("a", function () { this.skip(); }); it("b", () => {});`;
    expect(await run(source, { forbidSkipped: true })).to.include({ passed: 1, failed: 1 });
  });

  it("takes too long is ended, and says in which test and with what open", async () => {
    const source = `it("waits", function () { this.timeout(0); return new Promise((end) => setTimeout(end, 1e6)); });`;
    const result = await run(source, { timeoutSeconds: 1 });
    expect(result).to.include({ passed: 0, failed: 1 });
    expect(result.output).to.include("took more than 1 s, in: waits").and.to.include("Timeout");
  });

  it("leaves a server open is ended, and says so", async () => {
    const source = `import { createServer } from "node:net"; it("listens", () => { createServer().listen(0); });`;
    const result = await run(source, { timeoutSeconds: 2 });
    expect(result).to.include({ passed: 1, failed: 1 });
    expect(result.output).to.include("TCPServerWrap");
  });

  it("leaves a process behind takes it along", async () => {
    const source = `
      import { spawn } from "node:child_process";
      it("starts", () => { const { pid } = spawn("sleep", ["60"], { stdio: "ignore" }); console.log("pid " + pid); });`;
    const { output } = await run(source, { timeoutSeconds: 1 });
    const pid = Number(/pid (\d+)/.exec(output)?.[1]);
    await eventually(() => expect(() => process.kill(pid, 0)).to.throw("ESRCH"));
  });

  for (const [what, source, output] of [
    ["ends the process", `it("c", () => process.exit(0));`, "ended with exit code 0"],
    [
      "leaves a server open",
      `import { createServer } from "node:net"; it("c", () => { createServer().listen(0); }); it.skip("d");`,
      "TCPServerWrap",
    ],
    ["breaks late", `it("c", () => { setTimeout(() => { throw new Error("late"); }, 50); });`, "late"],
  ] as const)
    it(`${what} in a process that it shares has failed, and the files before and after it count as they are`, async () => {
      const [before, failing, ...after] = await runAll(
        [
          `it("a", () => console.log("of a")); it("b", () => { throw new Error("of b"); });`,
          source,
          `it("e", () => console.log("of e"));`,
          `it("f", () => console.error("of f"));`,
        ],
        { timeoutSeconds: 2 },
      );
      expect(before).to.include({ passed: 1, failed: 1 });
      expect(before?.output).to.include("of a").and.include("Error: of b").and.not.include(output);
      expect(failing?.file).to.include("planted-1");
      expect(failing).to.include({ failed: 1 });
      expect(failing?.output).to.include(output).and.not.include("of b");
      expect(after.map(({ passed, failed }) => [passed, failed])).to.deep.equal([
        [1, 0],
        [1, 0],
      ]);
      expect(after.map(({ output: text }) => /of \w/.exec(text)?.[0])).to.deep.equal(["of e", "of f"]);
    });

  it("is interrupted ends at once", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const source = `it("waits", function () { this.timeout(0); return new Promise((end) => setTimeout(end, 1e6)); });`;
    const { failed, seconds } = await run(source, { signal: controller.signal });
    expect(failed).to.equal(1);
    expect(seconds).to.be.below(5);
  });
});
