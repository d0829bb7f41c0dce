import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

const run = promisify(execFile);
const FOLDER = "examples/loan/1.0.0";

describe("npm run digest", () => {
  /** As npm runs it, in the project's folder, whichever folder (`from`) the user is in. */
  const digest = async (args: string[], from = "."): Promise<string> => {
    const env = { ...process.env, INIT_CWD: resolve(from) };
    return (await run(process.execPath, ["scripts/digest.ts", ...args], { env })).stdout;
  };
  const refusal = (args: string[]) =>
    digest(args).catch((error: unknown) => error) as Promise<{ code: number; stderr: string }>;

  it("prints a folder's digest as the contract's shell line computes it", async () => {
    const line = "find . -type f ! -path '*/.*' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum";
    const { stdout } = await run("sh", ["-c", line], { cwd: FOLDER });
    expect(await digest([FOLDER])).to.equal(`${stdout.split(" ")[0]}  ${FOLDER}\n`);
  });

  it("prints a file's digest as sha256sum does", async () => {
    const { stdout } = await run("sha256sum", [`${FOLDER}/model.onnx`]);
    expect(await digest([`${FOLDER}/model.onnx`])).to.equal(stdout);
  });

  it("takes paths from where the user is", async () => {
    const [sum] = (await digest([FOLDER])).split(" ");
    expect(await digest(["loan/1.0.0"], "examples")).to.equal(`${sum}  loan/1.0.0\n`);
  });

  it("says how it is called, and what is wrong with a path, in a line", async () => {
    expect(await digest(["--help"])).to.match(/^Usage: npm run digest -- /);
    expect((await refusal([])).stderr).to.match(/^error: missing required argument 'path'\n$/);
    expect((await refusal(["nowhere"])).stderr).to.equal("nowhere is not there: give a model's folder or file\n");
  });
});
