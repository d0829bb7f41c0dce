import { expect } from "chai";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Pool, request } from "undici";
import { splitOf } from "../../../operator/traffic/intervals.ts";
import { startBackend, type Backend } from "./backend.ts";
import { eventually } from "./condition.ts";
import { ConfigFolder } from "./config-folder.ts";

interface LogLine {
  readonly msg: string;
  readonly problem?: string;
  readonly traffic?: { readonly address: string; readonly port: number };
}

describe("node local/router/main.ts", () => {
  let backend: Backend;
  let folder: ConfigFolder;
  let child: ChildProcess;
  let log: LogLine[];

  const start = (args: readonly string[], env: Record<string, string> = {}) => {
    child = spawn(process.execPath, ["local/router/main.ts", ...args], { stdio: ["ignore", "pipe", "inherit"], env });
    log = [];
    createInterface(child.stdout!).on("line", (line) => log.push(JSON.parse(line) as LogLine));
    return once(child, "exit") as Promise<[code: number | null]>;
  };
  const listening = async () => {
    await eventually("the router listens", () => log.some(({ msg }) => msg === "router listening"));
    const { address, port } = log.find(({ msg }) => msg === "router listening")!.traffic!;
    return `http://${address}:${port}`;
  };

  beforeEach(async () => {
    backend = await startBackend("v1");
    folder = await ConfigFolder.create();
    await folder.writeTraffic({ split: splitOf(new Map([["v1-a", 100]])), pods: { "v1-a": [backend] } });
  });

  afterEach(async () => {
    child.kill("SIGKILL");
    await backend.stop();
    await folder.remove();
  });

  it("takes Envoy's arguments and serves until SIGTERM", async () => {
    const exited = start(["-c", folder.bootstrapFile, "--log-level", "warning", "--concurrency", "2"]);
    const { body } = await request(await listening());
    expect(await body.text()).to.equal("v1");
    child.kill("SIGTERM");
    expect((await exited)[0]).to.equal(0);
  });

  it("listens on HOST instead of where the bootstrap says", async () => {
    void start(["-c", folder.bootstrapFile], { HOST: "localhost" });
    await listening();
    expect(["127.0.0.1", "::1"]).to.include(log.at(-1)?.traffic?.address);
  });

  it("serves on while it drains, asks clients to leave, and finishes what is under way", async () => {
    let finish = () => {};
    await backend.stop();
    backend = await startBackend("v1", (req, res) => {
      if (req.url === "/slow") finish = () => res.end("finished");
      else res.end("v1");
    });
    await folder.writeTraffic({ split: splitOf(new Map([["v1-a", 100]])), pods: { "v1-a": [backend] } });
    const exited = start(["-c", folder.bootstrapFile], { DRAIN_SECONDS: "0.5" });
    const pool = new Pool(await listening());
    const slow = pool.request({ method: "GET", path: "/slow" });
    await eventually("the slow request is under way", () => backend.lastHeaders.host !== undefined);

    child.kill("SIGTERM");
    await eventually("it drains", () => log.some(({ msg }) => msg === "stopping"));
    const during = await pool.request({ method: "GET", path: "/" });
    expect([await during.body.text(), during.headers["connection"]]).to.deep.equal(["v1", "close"]);
    finish();
    expect(await (await slow).body.text()).to.equal("finished");
    expect((await exited)[0]).to.equal(0);
    await pool.close();
  });

  it("says in one line what is missing, and exits", async () => {
    expect((await start([]))[0]).to.equal(1);
    expect(log.at(-1)?.msg).to.include("-c");
    expect((await start(["-c", "/nowhere/envoy.yaml"]))[0]).to.equal(1);
    expect(log.at(-1)?.problem).to.include("/nowhere/envoy.yaml");
    expect((await start(["-c", folder.bootstrapFile], { DRAIN_SECONDS: "soon" }))[0]).to.equal(1);
    expect(log.at(-1)?.problem).to.include("DRAIN_SECONDS is soon");
  });
});
