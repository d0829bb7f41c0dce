import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { machineConfig } from "../../../local/config.ts";
import { start } from "../../../local/start/start.ts";

describe("npm start that is interrupted before the first copy of the folder is taken", () => {
  const stateFolder = mkdtempSync(join(tmpdir(), "slipway-interrupted-"));
  after(() => rmSync(stateFolder, { recursive: true, force: true }));

  it("ends as it does later: without an error, and the next one may run", async () => {
    const config = {
      projectFolder: resolve("."),
      model: resolve("examples/loan/1.0.0"),
      port: undefined,
      stateFolder,
      kubeconfig: join(stateFolder, "kubeconfig"),
      reset: false,
    };
    await start(config, machineConfig(), { write: () => true }, AbortSignal.abort());
    expect(readdirSync(stateFolder)).to.not.include("instance.json");
  });
});
