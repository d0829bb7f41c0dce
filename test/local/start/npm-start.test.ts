import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { processIdentity } from "../../../local/process-identity.ts";
import { applyPatch, call } from "../api-server/api-call.ts";
import { EditedModel } from "../edited-model.ts";
import { asPrinted, curlOf } from "../printed-curl.ts";
import { RunningProgram } from "../running-program.ts";
import { SteadyLoad } from "../steady-load.ts";
import { processesOf } from "./processes-of.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

describe("npm start", function () {
  this.timeout(120_000); // some twenty processes of Node; seconds on an idle machine
  let folder: string;
  let started: RunningProgram[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-start-"));
    started = [];
  });
  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ exited }) => exited));
    for (const pid of processesOf(folder)) process.kill(-pid, "SIGKILL"); // only after a failed test
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (...args: string[]): RunningProgram => {
    const process = new RunningProgram("local/main.ts", ["--state", folder, ...args]);
    started.push(process);
    return process;
  };

  it("serves the loan example, tells a second start where, and starts afresh after kill -9 with one's own folder", async () => {
    const first = start();
    const story = await first.says("Ctrl-C stops everything.");
    const { model_variant: variant } = (await asPrinted(story)) as { model_variant?: string };
    expect(story, "the answer shown is the one that the line gives").to.contain(`"model_variant":"${variant}"`);
    expect(story).to.match(/-H 'x-user-id: \w+'/);

    const second = start();
    expect(await second.exited).to.equal(1);
    const { url } = curlOf(story);
    expect(second.output).to.match(
      new RegExp(`^Slipway runs already at ${url} \\(process ${first.child.pid}\\)[^\n]*\n$`),
    );

    const before = processesOf(folder);
    expect(before, "operator, four runtimes, two routers").to.have.lengthOf(7);
    await first.end("SIGKILL");

    const model = join(folder, "My Model_2");
    cpSync(join(PROJECT, "examples/loan/2.0.0"), model, { recursive: true });
    const own = start("--reset", model);
    const ownStory = await own.says("Ctrl-C stops everything.");
    expect(ownStory).to.contain("my-model-2 answers at http://127.0.0.1:");
    expect(await asPrinted(ownStory)).to.include({ model_version: "2.0.0", model_variant: "v1" });
    expect(before.filter((pid) => processIdentity(pid) !== undefined)).to.deep.equal([]);

    const last = processesOf(folder);
    expect(last).to.have.lengthOf(2);
    expect(await own.end("SIGINT")).to.equal(0);
    expect(last.filter((pid) => processIdentity(pid) !== undefined)).to.deep.equal([]);
    expect(existsSync(join(folder, "instance.json"))).to.equal(false);
  });

  it("makes each edit of the folder a revision, goes on with the former when one is broken, and back", async () => {
    const model = new EditedModel(join(folder, "loan"));
    model.setVersion("1.0.0");
    const own = start(model.folder);
    const story = await own.says("Ctrl-C stops everything.");
    const load = new SteadyLoad(story);
    const first = revisionOf(await asPrinted(story));

    let told = own.output.length;
    model.setVersion("1.1.0");
    const [, second] = /served: revision (\S+)\./.exec(await own.says("served: revision", told)) ?? [];
    expect(second).to.match(/^v1-/).and.not.equal(first);
    await load.sees("1.1.0");

    told = own.output.length;
    model.break();
    const complaint = await own.says("This edit is not served, the model before it goes on.", told);
    expect(complaint).to.contain(`InvalidModel: loading ${model.folder}: metadata.json`);
    expect(await asPrinted(story)).to.include({ model_version: "1.1.0" });

    told = own.output.length;
    model.setVersion("1.0.0");
    expect(await own.says("served: revision", told)).to.contain(`The edit is served: revision ${first}.`);
    await load.sees("1.0.0");
    expect(await load.end(), "requests that failed").to.deep.equal([]);
    expect(await own.end("SIGINT")).to.equal(0);
  });

  it("goes on with the split that the user made of it, whose version the folder is", async () => {
    const model = new EditedModel(join(folder, "loan"));
    const first = start(model.folder);
    const story = await first.says("Ctrl-C stops everything.");
    const [, server = ""] = /server: (\S+)/.exec(readFileSync(join(folder, "kubeconfig"), "utf8")) ?? [];
    await kubectlApplies(server, [
      { name: "v1", weight: 100, source: { uri: pathToFileURL(model.folder).href } },
      { name: "v2", weight: 0, source: { uri: pathToFileURL(join(PROJECT, "examples/loan/2.0.0")).href } },
    ]);
    expect(await first.end("SIGINT")).to.equal(0);

    model.setVersion("1.1.0");
    const second = start(model.folder);
    const storyAfter = await second.says("Ctrl-C stops everything.");
    expect(curlOf(storyAfter).url).to.equal(curlOf(story).url);
    expect(await asPrinted(storyAfter)).to.include({ model_version: "1.1.0", model_variant: "v1" });
    expect(await second.end("SIGINT")).to.equal(0);
  });

  it("says at once why a folder cannot be served, and ends; when it is kept from before, it waits for its mending", async () => {
    const model = new EditedModel(join(folder, "broken"));
    model.break();
    const first = start(model.folder);
    expect(await first.exited).to.equal(1);
    expect(first.output).to.contain("broken cannot be served. InvalidModel: ");

    const second = start(model.folder);
    const complaint = await second.says("Ctrl-C stops everything.");
    expect(complaint).to.contain("broken cannot be served. InvalidModel: ");
    expect(complaint).to.contain("The cluster runs, so that you can change broken.");
    const told = second.output.length;
    model.setVersion("1.1.0");
    await second.says("The edit is served: revision v1-", told);
    expect(await second.end("SIGINT")).to.equal(0);
  });

  it("says in one sentence that its state is damaged, and begins afresh with --reset", async () => {
    writeFileSync(join(folder, "state.db"), "no database".repeat(500));
    const damaged = start();
    expect(await damaged.exited).to.equal(1);
    expect(damaged.output).to.contain(
      `${join(folder, "state.db")} is damaged (file is not a database): bring back a copy of it, or begin afresh with --reset\n`,
    );
    const afresh = start("--reset");
    await afresh.says("✓ cluster");
    expect(await afresh.end("SIGINT")).to.equal(0);
  });

  it("asks for a folder that exists", async () => {
    const none = start(join(folder, "nowhere"));
    expect(await none.exited).to.equal(1);
    expect(none.output).to.equal(`There is no ${join(folder, "nowhere")}: give a folder that holds a model.onnx.\n`);
  });

  it("refuses a port that was asked for and is in use, in one sentence", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const refused = start("--port", String(port));
    expect(await refused.exited).to.equal(1);
    server.close();
    expect(refused.output).to.match(new RegExp(`^Port ${port} is in use: [^\n]*\n$`));
  });
});

/** Versions in the place of the one that `npm start` made. */
async function kubectlApplies(server: string, versions: object[]): Promise<void> {
  const path = "/apis/serving.slipway.dev/v1alpha1/namespaces/default/modeldeployments/loan";
  const spec = { versions, traffic: { service: { type: "LoadBalancer", port: 80 } } };
  const { code } = await call(server, "PATCH", `${path}?fieldManager=kubectl`, {
    type: applyPatch,
    body: { apiVersion: "serving.slipway.dev/v1alpha1", kind: "ModelDeployment", metadata: { name: "loan" }, spec },
  });
  expect(code).to.equal(200);
}

/** The request id of an answer carries the revision that gave it. */
function revisionOf(answer: object): string {
  const { request_id } = answer as { request_id: string };
  const [, , revision = ""] = [
    "",
    ...(JSON.parse(Buffer.from(request_id.split(".")[1] ?? "", "base64url").toString()) as string[]),
  ];
  return revision;
}
