import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { request } from "undici";
import { EditedModel } from "../edited-model.ts";
import { asPrinted, curlOf } from "../printed-curl.ts";
import { RunningProgram } from "../running-program.ts";
import { SteadyLoad } from "../steady-load.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples", import.meta.url));

const IMAGES = fileURLToPath(new URL("../../../bench/runtime/models/light-images.onnx", import.meta.url));

describe("npm run serve", function () {
  this.timeout(60_000); // a process of Node, or two; a second on an idle machine
  let folder: string;
  let started: RunningProgram[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway serve-")); // with a space
    started = [];
  });
  afterEach(async () => {
    for (const { child } of started) child.kill("SIGINT");
    await Promise.all(started.map(({ exited }) => exited));
    rmSync(folder, { recursive: true, force: true });
  });
  const serve = (...args: string[]): RunningProgram => {
    const program = new RunningProgram("local/serve/main.ts", args);
    started.push(program);
    return program;
  };

  it("serves a folder, says what it is and how to ask it, and ends with Ctrl-C", async () => {
    const model = new EditedModel(join(folder, "My loan"));
    const served = serve(model.folder);
    const story = await served.says("Ctrl-C stops it.");
    expect(story).to.contain("my-loan answers at http://127.0.0.1:");
    expect(story).to.contain("  version  1.0.0, RandomForestClassifier\n");
    expect(story).to.contain("  takes    age (integer), income (number), credit_score (integer)\n");
    expect(story).to.contain("  answers  approved: rejected, approved\n");
    const { prediction, probability } = (await asPrinted(story)) as Record<string, string>;
    expect(story, "the answer shown is the line's").to.contain(
      `{"prediction":"${prediction}","probability":${probability},`,
    );
    const { url } = curlOf(story);
    expect(story).to.contain(`Try it in a browser: ${url}/docs\n`);
    expect((await request(`${url}/docs`)).statusCode).to.equal(200);
    expect(await served.end("SIGINT")).to.equal(0);
    await request(url).then(
      () => expect.fail("something still answers"),
      (error: NodeJS.ErrnoException) => expect(error.code).to.equal("ECONNREFUSED"),
    );
  });

  it("serves a single graph, and one that takes no rows", async () => {
    const graph = join(folder, "fault.onnx");
    copyFileSync(join(EXAMPLES, "fault-torch/model/model.onnx"), graph);
    const story = await serve(graph).says("Ctrl-C stops it.");
    expect(story).to.contain("fault answers at http://127.0.0.1:");
    expect(await asPrinted(story)).to.have.property("prediction");

    const images = await serve(IMAGES).says("Ctrl-C stops it.");
    expect(images).to.contain("  takes    image (FP32 [-1, 224, 224, 3])\n");
    expect(images, "a request that would fill the screen").to.not.contain("curl");
  });

  it("lets an edit take over without a failed request, and goes on with the former model when one is broken", async () => {
    const model = new EditedModel(join(folder, "loan"));
    const served = serve("--watch", model.folder);
    const story = await served.says("Ctrl-C stops it.");
    expect(story).to.contain(`A change in ${model.folder} is served as soon as it has loaded.`);
    const load = new SteadyLoad(story);
    await load.sees("1.0.0");

    let told = served.output.length;
    model.setVersion("1.1.0");
    await served.says("The edit is served.\n  version  1.1.0", told);
    await load.sees("1.1.0");

    told = served.output.length;
    model.break();
    const complaint = await served.says("metadata.json", told);
    expect(complaint).to.contain("This edit is not served, the model before it goes on.\n  InvalidModel: ");
    expect(served.output.slice(told)).to.contain(`loading ${model.folder}: `);
    expect(await asPrinted(story)).to.include({ model_version: "1.1.0" });

    told = served.output.length;
    model.setVersion("1.2.0");
    await served.says("The edit is served.\n  version  1.2.0", told);
    await load.sees("1.2.0");
    expect(await load.end(), "requests that failed").to.deep.equal([]);
    expect(await served.end("SIGINT")).to.equal(0);
  });

  describe("ends with one sentence when", () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const program = serve(...args);
      expect(await program.exited).to.equal(1);
      expect(program.output).to.match(/^[^\n]+\n$/);
      return program.output;
    };

    it("there is no such folder", async () => {
      const path = join(folder, "nowhere");
      expect(await refusal(path)).to.equal(`There is no ${path}: give a folder that holds a model.onnx.\n`);
    });

    it("the folder is empty", async () => {
      expect(await refusal(folder)).to.match(/^ArtifactNotFound: .* the folder is empty/);
    });

    it("the model is of another format", async () => {
      const path = join(folder, "model.pkl");
      writeFileSync(path, "pickled");
      expect(await refusal(path)).to.match(/^UnsupportedFormat: /);
      expect(await refusal(folder)).to.match(/^UnsupportedFormat: /);
    });

    it("the first model is broken, also when edits are watched", async () => {
      const path = join(folder, "broken");
      mkdirSync(path);
      writeFileSync(join(path, "model.onnx"), "no protobuf");
      expect(await refusal("--watch", path)).to.match(/^InvalidModel: /);
    });

    it("the port is in use", async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const model = new EditedModel(join(folder, "loan"));
      expect(await refusal("--port", String(port), model.folder)).to.match(new RegExp(`^Port ${port} is in use: `));
      server.close();
    });

    it("the address is none of this machine's, whichever port it is to be", async () => {
      const model = new EditedModel(join(folder, "loan"));
      const elsewhere = ["--host", "192.0.2.1"]; // of documentation: nobody has it
      for (const port of [[], ["--port", "8000"]])
        expect(await refusal(...elsewhere, ...port, model.folder)).to.match(
          /^Nothing can listen on 192\.0\.2\.1: .* --host\.$/m,
        );
    });
  });

  it("explains itself", async () => {
    const help = serve("--help");
    expect(await help.exited).to.equal(0);
    for (const flag of ["--port", "--host", "--watch", "--verbose"]) expect(help.output).to.contain(flag);
  });

  it("leaves nothing behind in the folder", async () => {
    const model = new EditedModel(join(folder, "loan"));
    const before = readdirSync(model.folder);
    await serve("--watch", model.folder).says("Ctrl-C stops it.");
    expect(readdirSync(model.folder)).to.deep.equal(before);
  });
});
