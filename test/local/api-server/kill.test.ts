import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { call, type Answer } from "./api-call.ts";

/** An API server as a process that can be killed; says where it is, once it is. */
const program = `
  const { startApiServer } = await import(process.argv[1]);
  const { url } = await startApiServer({ stateFile: process.argv[2] });
  console.log(url);
`;
const module = new URL("../../../local/api-server/server.ts", import.meta.url).href;

const configMaps = "/api/v1/namespaces/default/configmaps";
const kills = 3;
const writers = 6;

interface Known {
  uid: string;
  version: number;
  value: string;
}

/** Writes one ConfigMap again and again: makes it, changes it, deletes it, makes it … */
class Writer {
  readonly path: string;
  /** What the server answered last; undefined when it has none of that name. */
  known: Known | undefined;
  /** What it would be after the write that got no answer. */
  attempted: { value: string | undefined } | undefined;
  private turn = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.path = `${configMaps}/${name}`;
  }

  /** @throws when the server does not answer */
  async write(url: string): Promise<void> {
    const value = this.turn++ % 5 === 4 ? undefined : `${this.name}-${this.turn}`;
    if (value === undefined && this.known === undefined) return;
    this.attempted = { value };
    const body = { metadata: { name: this.name }, data: { value: value ?? "", ballast: "x".repeat(2_000) } };
    const answer =
      value === undefined
        ? await call(url, "DELETE", this.path)
        : await call(url, this.known ? "PUT" : "POST", this.known ? this.path : configMaps, {
            body,
          });
    expect(answer.code, JSON.stringify(answer.body)).to.be.oneOf([200, 201]);
    this.known = value === undefined ? undefined : known(answer);
    this.attempted = undefined;
  }

  /** Looks at what a new server has: what was answered, or what it was asked and could not answer any more. */
  async check(url: string): Promise<void> {
    const answer = await call(url, "GET", this.path);
    const found = answer.code === 404 ? undefined : known(answer);
    if (this.attempted !== undefined && found?.value === this.attempted.value) {
      if (found !== undefined && this.known !== undefined) expect(found.uid).to.equal(this.known.uid);
    } else expect(found).to.deep.equal(this.known);
    this.known = found;
    this.attempted = undefined;
  }
}

describe("an API server with a state file", function () {
  this.timeout(120_000); // a process of Node for each kill
  let folder: string;
  let server: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();
  const start = async (limits = "true"): Promise<string> => {
    const node = [process.execPath, "--input-type=module", "--eval", program, module, join(folder, "state.db")];
    server = spawn("/bin/sh", ["-c", `${limits}; exec "$0" "$@"`, ...node], { stdio: ["ignore", "pipe", "inherit"] });
    exited = once(server, "exit");
    if (server.stdout === null) throw new Error("the server has no output");
    const lines = createInterface({ input: server.stdout });
    const [url] = (await once(lines, "line")) as [string];
    return url;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-kill-"));
  });
  afterEach(async () => {
    server?.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });

  it("has every write that it answered after each kill -9, counts on, and tells old watches to list again", async () => {
    const all = Array.from({ length: writers }, (_, index) => new Writer(`writer-${index}`));
    let url = await start();
    for (let round = 1; round <= kills; round++) {
      let left = 20 + Math.floor(Math.random() * 100);
      const lastVersion = await versionOf(url);
      const writing = all.map(async (writer) => {
        try {
          for (;;) {
            await writer.write(url);
            if (--left === 0) server?.kill("SIGKILL");
          }
        } catch (error) {
          if (server?.killed !== true) throw error;
        }
      });
      await Promise.all(writing);
      await exited;
      url = await start();
      for (const writer of all) await writer.check(url);
      expect(await versionOf(url)).to.be.at.least(
        Math.max(lastVersion, ...all.map((each) => each.known?.version ?? 0)),
      );
      const watch = await call(url, "GET", `/api/v1/configmaps?watch=true&resourceVersion=${lastVersion}`);
      expect(watch.body).to.have.nested.property("object.code", 410);
    }
  });

  it("refuses, on a full disk, what it cannot keep, and has all that it took before", async () => {
    let url = await start("ulimit -f 1000"); // no file may grow beyond 1000 blocks
    const create = async (name: string): Promise<Answer> =>
      call(url, "POST", configMaps, { body: { metadata: { name }, data: { ballast: "x".repeat(5_000) } } });
    const taken: string[] = [];
    let answer = await create("0");
    for (; answer.code === 201; answer = await create(String(taken.length))) taken.push(String(taken.length));
    expect(answer.code).to.equal(500);
    expect(answer.body["message"]).to.contain("state.db: is the disk full?");
    expect(taken).not.to.deep.equal([]);
    expect((await namesIn(url)).toSorted()).to.deep.equal(taken.toSorted());
    server?.kill("SIGKILL");
    await exited;
    url = await start();
    expect((await namesIn(url)).toSorted()).to.deep.equal(taken.toSorted());
  });
});

function known({ body }: Answer): Known {
  const { metadata, data } = body as {
    metadata: { uid: string; resourceVersion: string };
    data: { value: string };
  };
  return { uid: metadata.uid, version: Number(metadata.resourceVersion), value: data.value };
}

async function versionOf(url: string): Promise<number> {
  const { body } = await call(url, "GET", "/api/v1/configmaps");
  return Number((body as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
}

async function namesIn(url: string): Promise<string[]> {
  const { body } = await call(url, "GET", configMaps);
  return (body as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name);
}
