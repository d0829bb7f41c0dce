import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { expect } from "chai";

const run = promisify(execFile);
const FOLDER = "examples/loan/1.0.0";

describe("npm run digest", () => {
  const digest = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, ["scripts/digest.ts", ...args])).stdout;

  it("prints a folder's digest as the contract's shell line computes it", async () => {
    const line = "find . -type f ! -path '*/.*' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum";
    const { stdout } = await run("sh", ["-c", line], { cwd: FOLDER });
    expect(await digest(FOLDER)).to.equal(`${stdout.split(" ")[0]}  ${FOLDER}\n`);
  });

  it("prints a file's digest as sha256sum does", async () => {
    const { stdout } = await run("sha256sum", [`${FOLDER}/model.onnx`]);
    expect(await digest(`${FOLDER}/model.onnx`)).to.equal(stdout);
  });

  it("says how it is called", async () => {
    const error = (await digest().catch((error: unknown) => error)) as { code: number; stderr: string };
    expect(error).to.include({ code: 2 });
    expect(error.stderr).to.match(/usage: npm run digest -- FOLDER/);
  });
});
