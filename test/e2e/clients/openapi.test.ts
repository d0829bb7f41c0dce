import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { RuntimeProcess } from "../../runtime/support/runtime-process.ts";

// Needs schemathesis beside the Python in CLIENTS_PYTHON: see requirements.txt.
describe("openapi.json", function () {
  this.timeout(120_000);

  it("is true: schemathesis finds no answer that differs from it", async () => {
    const python = process.env["CLIENTS_PYTHON"] ?? "";
    expect(python, "CLIENTS_PYTHON").to.not.equal("");
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", MODEL_NAME: "loan" });
    await runtime.logged("ready");
    const url = await runtime.url("/openapi.json");
    await schemathesis(python, url, ["--exclude-path-regex", "/infer$"]);
    // That shape and data of a tensor agree is beyond a schema: valid requests may be refused.
    await schemathesis(python, url, ["--include-path-regex", "/infer$", "--exclude-checks", DATA_CHECKS]);
  });
});

const DATA_CHECKS = "positive_data_acceptance,negative_data_rejection";

async function schemathesis(python: string, url: string, options: readonly string[]): Promise<void> {
  const args = ["run", url, "--checks", "all", "--max-examples", "100", "--seed", "1", ...options];
  await promisify(execFile)(join(dirname(python), "schemathesis"), args, { cwd: tmpdir() }).catch(
    (error: Error & { stdout: string }) => {
      throw new Error(error.stdout.slice(-8000), { cause: error });
    },
  );
}
