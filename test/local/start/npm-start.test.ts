import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { request } from "undici";
import { processIdentity } from "../../../local/process-identity.ts";
import { NpmStart, pidsOf } from "./npm-start.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

describe("npm start", function () {
  this.timeout(90_000); // some twenty processes of Node; seconds on an idle machine
  let folder: string;
  let started: NpmStart[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-start-"));
    started = [];
  });
  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ exited }) => exited));
    for (const pid of pidsOf(folder)) process.kill(-pid, "SIGKILL"); // only after a failed test
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (...args: string[]): NpmStart => {
    const process = new NpmStart(["--state", folder, ...args]);
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

    const before = pidsOf(folder);
    expect(before, "operator, four runtimes, two routers").to.have.lengthOf(7);
    await first.end("SIGKILL");

    const model = join(folder, "My Model_2");
    cpSync(join(PROJECT, "examples/loan/2.0.0"), model, { recursive: true });
    const own = start("--reset", model);
    const ownStory = await own.says("Ctrl-C stops everything.");
    expect(ownStory).to.contain("my-model-2 answers at http://127.0.0.1:");
    expect(await asPrinted(ownStory)).to.include({ prediction: "approved", model_version: "2.0.0" });
    expect(before.filter((pid) => processIdentity(pid) !== undefined)).to.deep.equal([]);

    const last = pidsOf(folder);
    expect(last).to.have.lengthOf(2);
    expect(await own.end("SIGINT")).to.equal(0);
    expect(last.filter((pid) => processIdentity(pid) !== undefined)).to.deep.equal([]);
    expect(existsSync(join(folder, "instance.json"))).to.equal(false);
  });

  it("says at once why a folder cannot be served, and ends", async () => {
    const model = join(folder, "broken");
    mkdirSync(model);
    writeFileSync(join(model, "model.onnx"), "no protobuf");
    const broken = start(model);
    expect(await broken.exited).to.equal(1);
    expect(broken.output).to.contain("broken cannot be served. InvalidModel: ");
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

function curlOf(story: string): { url: string; path: string; headers: Record<string, string>; body: string } {
  const [, url = "", path = "", rest = "", body = ""] =
    /curl -s (http:\/\/127\.0\.0\.1:\d+)(\S+) (.*) -d '(.*)'\n/.exec(story) ?? [];
  const headers = [...rest.matchAll(/-H '([\w-]+): ([^']*)'/g)].map(([, name = "", value = ""]) => [name, value]);
  return { url, path, headers: Object.fromEntries(headers) as Record<string, string>, body };
}

/** What the printed curl line answers. (This machine may have no curl.) */
async function asPrinted(story: string): Promise<object> {
  const { url, path, headers, body } = curlOf(story);
  const answer = await request(url + path, { method: "POST", headers, body });
  expect(answer.statusCode).to.equal(200);
  return (await answer.body.json()) as object;
}
