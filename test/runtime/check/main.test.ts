import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";

import { expect } from "chai";

import { Scratch, graph, loan } from "../support/scratch.ts";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run check -- …`, without npm, which tells in INIT_CWD where the user is. */
async function check(...args: string[]): Promise<Ended> {
  return checkFrom(".", {}, ...args);
}

async function checkFrom(folder: string, environment: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
  const env = { ...process.env, INIT_CWD: resolve(folder), ...environment };
  const child = spawn(process.execPath, ["runtime/check/main.ts", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}

describe("npm run check", () => {
  const scratch = new Scratch();

  it("prints what the runtime makes of a folder, and asks all of its golden rows", async () => {
    const { code, stdout, stderr } = await check("examples/loan/1.0.0");
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
    expect(stdout.replace(/\d\.\d+ ms|\d+ ms/, "N ms")).to.equal(`examples/loan/1.0.0 can be served
  format      ONNX, preprocessor.onnx into model.onnx
  sha256      4ddf81741e98ee50d6f514d16056dbef58ae445da59fb8f2b51aebaf1c74cff1
  bytes       11587
  type        RandomForestClassifier
  version     1.0.0
  task        classification
  classes     rejected, approved
  features    age: integer
              income: number
              credit_score: integer
  inputs      age: float32[?, 1], income: float32[?, 1], credit_score: float32[?, 1] (preprocessor.onnx)
  outputs     label: int64[?], probabilities: float32[?, 2] (model.onnx)
  rows        requests share runs
  one run     N ms
  golden      25 rows, all answered as expected
  example     {"age":65,"income":65362,"credit_score":546}
`);
  });

  it("tells of files that people may think are applied, and cuts long lists of features", async () => {
    const { code, stdout } = await check(
      await scratch.folder({ "model.onnx": graph("scores"), "preprocessor.pkl": "x", "notes.txt": "x" }),
    );
    expect(code).to.equal(0);
    expect(stdout).to.match(/^ {2}features {4}f0: number\n {14}f1: number$/m);
    expect(stdout).to.match(/^ {2}golden {6}no golden\.json$/m);
    expect(stdout).to.match(/^ {2}not served {2}preprocessor\.pkl: what is in there must be in the \.onnx files$/m);
    expect((await check("examples/digits-keras/model")).stdout)
      .to.match(/^ {14}… and 44 more$/m)
      .and.include("features    p00: number");
  });

  it("fails on a golden row that no start would come to", async () => {
    const rows = Array.from({ length: 150 }, (_, row) => ({
      input: { index: 0 },
      output: { prediction: row === 149 ? 11 : 10 },
    }));
    const { code, stdout, stderr } = await check(
      await scratch.folder({ "model.onnx": graph("lookup"), "golden.json": { rows } }),
    );
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
    expect(stderr).to.match(/^SignatureMismatch: loading \S+: golden\.json: rows\[149\]\.output\.prediction: .*\n$/);
  });

  it("prints the reason, and what to do, when it cannot be served", async () => {
    const folder = await scratch.folder({ "model.onnx": loan("1.0.0", "model.onnx"), "metadata.json": { classes: 2 } });
    expect(await check(folder)).to.deep.equal({
      code: 1,
      stdout: "",
      stderr: `InvalidModel: loading ${folder}: metadata.json: classes: expected array, got 2\n`,
    });
    expect((await check("ftp://models/loan")).stderr).to.match(/^UnsupportedSource: loading ftp:\/\/models\/loan: /);
  });

  it("takes paths from where the user is, whatever the environment says that is served", async () => {
    const { code, stdout } = await checkFrom("examples", { MODEL_PATH: "/elsewhere" }, "loan/1.0.0");
    expect({ code, first: stdout.split("\n")[0] }).to.deep.equal({ code: 0, first: "loan/1.0.0 can be served" });
  });

  it("explains itself, and refuses what it does not understand", async () => {
    const help = await check("--help");
    expect(help).to.include({ code: 0, stderr: "" });
    expect(help.stdout).to.match(/^usage: npm run check -- FOLDER_OR_URI\n/);
    for (const args of [[], ["a", "b"], ["--all", "a"]])
      expect(await check(...args)).to.deep.equal({ code: 2, stdout: "", stderr: help.stdout });
  });
});
