import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect } from "chai";

import { RuntimeProcess } from "../../runtime/support/runtime-process.ts";
import { Scratch, graph } from "../../runtime/support/scratch.ts";

// Needs a Python with the packages of requirements.txt beside this file, whose path is in CLIENTS_PYTHON.
describe("Clients of others", function () {
  this.timeout(120_000);
  const scratch = new Scratch();
  const python = process.env["CLIENTS_PYTHON"] ?? "";

  before(() => {
    expect(python, "CLIENTS_PYTHON").to.not.equal("");
  });

  // One process each: the packages of tritonclient and kserve define the same messages.
  for (const [title, file] of [
    ["tritonclient, over HTTP and gRPC, in binary and JSON, blocking and with asyncio", "triton_test.py"],
    ["kserve's inference clients, REST v1 and v2, and gRPC", "kserve_test.py"],
    ["gRPC reflection and health", "grpc_tools_test.py"],
  ] as const) {
    it(`work unmodified: ${title}`, async () => {
      const MODEL_URI = await scratch.folder({ "model.onnx": graph("identity") });
      await using runtime = new RuntimeProcess({ MODEL_URI, MODEL_VERSION: "7", GRPC_PORT: "0" });
      await using loan = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", MODEL_NAME: "loan" });
      await Promise.all([runtime.logged("ready"), loan.logged("ready")]);
      const { port: grpc } = await runtime.logged("listening for gRPC");
      await pytest(file, {
        RUNTIME_HTTP: new URL(await runtime.url("")).host,
        RUNTIME_GRPC: `127.0.0.1:${grpc}`,
        LOAN_HTTP: new URL(await loan.url("")).host,
      });
    });
  }

  async function pytest(file: string, environment: Record<string, string>): Promise<void> {
    const args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", join(import.meta.dirname, file)];
    const env = { PATH: process.env["PATH"] ?? "", PYTHONDONTWRITEBYTECODE: "1", ...environment };
    await promisify(execFile)(python, args, { env }).catch((error: Error & { stdout: string }) => {
      throw new Error(error.stdout, { cause: error });
    });
  }
});
