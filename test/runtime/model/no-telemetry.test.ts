import { readdir } from "node:fs/promises";

import { expect } from "chai";

import { RuntimeProcess } from "../support/runtime-process.ts";
import { Scratch } from "../support/scratch.ts";

describe("ONNX Runtime's telemetry", () => {
  const scratch = new Scratch();

  it("is off before the library starts: no device id and no queue of events is left in the home folder", async () => {
    const home = await scratch.folder({});
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", HOME: home });
    await runtime.logged("ready");
    runtime.signal("SIGTERM");
    expect(await runtime.exited).to.equal(0);
    expect(await readdir(home)).to.deep.equal([]);
  });
});
