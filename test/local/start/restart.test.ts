import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { request } from "undici";
import { processIdentity } from "../../../local/process-identity.ts";
import { eventually } from "../../support/eventually.ts";
import { call, mergePatch } from "../api-server/api-call.ts";
import { RunningProgram } from "../running-program.ts";
import { processesOf } from "./processes-of.ts";

/** So many kills at random moments, for the long form. */
const randomKills = Number(process.env["RESTART_KILLS"] ?? 0);

const loan = fileURLToPath(new URL("../../../examples/loan", import.meta.url));
const applicant = { age: 37, income: 54_321.37, credit_score: 661 };
const ready = "Ctrl-C stops everything.";

const configMaps = "/api/v1/namespaces/default/configmaps";
const models = "/apis/serving.slipway.dev/v1alpha1/namespaces/default/modeldeployments";
const second = `${models}/second`;

interface Model {
  metadata: { uid: string; generation: number };
  spec: { source: { uri: string } };
  status?: { observedGeneration: number; url: string; conditions: { type: string; status: string }[] };
}

describe("npm start after a kill -9", function () {
  this.timeout(120_000 + randomKills * 60_000); // several whole systems, one after the other
  let folder: string;
  let model: string;
  let started: RunningProgram[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-restart-"));
    model = join(folder, "mine");
    cpSync(join(loan, "1.0.0"), model, { recursive: true });
    started = [];
  });
  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ exited }) => exited));
    for (const pid of processesOf(folder)) process.kill(-pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Without a PATH nothing ties the containers to the process that is killed: the next start must end them. */
  const start = (tied = true): RunningProgram => {
    const process_ = new RunningProgram(
      "local/main.ts",
      ["--state", folder, model],
      tied ? process.env : { ...process.env, PATH: "" },
    );
    started.push(process_);
    return process_;
  };
  const server = (): Promise<string> =>
    eventually(() => {
      const [, url] = /server: (\S+)/.exec(readFileSync(join(folder, "kubeconfig"), "utf8")) ?? [];
      if (url === undefined) throw new Error("the kubeconfig names no server yet");
      return url;
    });
  const applySecond = async (url: string, version: string): Promise<void> => {
    const spec = {
      source: { uri: pathToFileURL(join(loan, version)).href + "/" },
      traffic: { service: { type: "LoadBalancer", port: 80 } },
    };
    const { code } = await call(url, "PATCH", `${second}?fieldManager=test&force=true`, {
      type: "application/apply-patch+yaml",
      body: { apiVersion: "serving.slipway.dev/v1alpha1", kind: "ModelDeployment", metadata: { name: "second" }, spec },
    });
    expect(code).to.be.oneOf([200, 201]);
  };
  const get = async (url: string, path: string): Promise<Model> => {
    const { code, body } = await call(url, "GET", path);
    expect(code, path).to.equal(200);
    return body as object as Model;
  };
  const served = (url: string, version: string): Promise<void> =>
    eventually(async () => {
      const { metadata, status } = await get(url, second);
      expect(status?.observedGeneration).to.equal(metadata.generation);
      expect(status?.conditions.find(({ type }) => type === "Ready")?.status, JSON.stringify(status)).to.equal("True");
      expect(await predict(status?.url ?? "")).to.include({ model_version: version });
    }, 60_000);

  it("has all that was applied, finishes the rollout that was under way, and leaves no process behind", async () => {
    const first = start(false);
    await first.says(ready);
    let url = await server();
    await applySecond(url, "1.0.0");
    await call(url, "POST", configMaps, { body: { metadata: { name: "kept" }, data: { of: "mine" } } });
    await call(url, "PATCH", `${models}/mine`, {
      type: mergePatch,
      body: { metadata: { annotations: { "example.com/owner": "me" } } },
    });
    await served(url, "1.0.0");
    const before = await Promise.all([`${models}/mine`, second, `${configMaps}/kept`].map((path) => get(url, path)));
    const processes = processesOf(folder);
    expect(processes, "operator and two runtimes").to.have.lengthOf(3);
    await applySecond(url, "2.0.0");
    await first.end("SIGKILL"); // a rollout is under way

    const interrupted = start();
    await interrupted.says("pod mine-");
    await eventually(() => expect(processes.filter((pid) => processIdentity(pid) !== undefined)).to.deep.equal([]));
    await interrupted.end("SIGKILL"); // it was starting

    const idle = start();
    const storyAfter = await idle.says(ready);
    url = await server();
    expect(storyAfter).to.contain("Served again, from before: second.");
    await served(url, "2.0.0");
    const after = await Promise.all([`${models}/mine`, second, `${configMaps}/kept`].map((path) => get(url, path)));
    expect(after.map(({ metadata }) => metadata.uid)).to.deep.equal(before.map(({ metadata }) => metadata.uid));
    expect(after[0]?.metadata).to.deep.include({ annotations: { "example.com/owner": "me" } });
    expect(after[1]?.metadata.generation).to.equal((before[1]?.metadata.generation ?? 0) + 1);
    expect(await restarts(url)).to.equal(0);
    await idle.end("SIGKILL"); // nothing was under way

    const last = start();
    await last.says(ready);
    await served(url, "2.0.0");
    expect(await last.end("SIGINT")).to.equal(0);
    expect(processesOf(folder)).to.deep.equal([]);
  });

  if (randomKills > 0)
    it(`has every answered write after ${randomKills} kills at random moments`, async () => {
      let written = 0;
      await start().says(ready);
      await applySecond(await server(), "1.0.0");
      const { uid } = (await get(await server(), second)).metadata;
      for (let count = 1; count <= randomKills; count++) {
        const current = started.at(-1);
        const dead = new AbortController();
        const kill = async (): Promise<void> => {
          await sleep(Math.random() * 6_000);
          await current?.end("SIGKILL");
          dead.abort();
        };
        const killing = kill();
        written = await writeUntil(dead.signal, folder, written);
        await killing;
        const next = start(count % 2 === 0);
        if (count % 4 === 0) await next.says(ready); // else it is killed in the midst of its start
      }
      await started.at(-1)?.says(ready);
      const url = await server();
      const { metadata, spec } = await get(url, second);
      expect(metadata.uid).to.equal(uid);
      expect(written, "something was written between the kills").to.be.greaterThan(0);
      expect(await counterOf(url)).to.be.at.least(written);
      await served(url, spec.source.uri.endsWith("/2.0.0/") ? "2.0.0" : "1.0.0");
    });
});

/** Counts up in a ConfigMap, and moves the second model to and fro; returns the last count that the server answered. */
async function writeUntil(dead: AbortSignal, folder: string, from: number): Promise<number> {
  let answered = from;
  for (let next = from + 1; !dead.aborted; await sleep(20)) {
    if (!existsSync(join(folder, "kubeconfig"))) continue;
    const [, url = ""] = /server: (\S+)/.exec(readFileSync(join(folder, "kubeconfig"), "utf8")) ?? [];
    try {
      if (answered > 0 && answered === from) expect(await counterOf(url)).to.be.at.least(from);
      const { code } = await call(url, "PATCH", `${configMaps}/counter?fieldManager=test&force=true`, {
        type: "application/apply-patch+yaml",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "counter" }, data: { count: String(next) } },
      });
      if (code < 300) answered = next++;
      const uri = pathToFileURL(join(loan, next % 50 < 25 ? "1.0.0" : "2.0.0")).href + "/";
      await call(url, "PATCH", second, { type: mergePatch, body: { spec: { source: { uri } } } });
    } catch (error) {
      if ((error as Error).name === "AssertionError") throw error; // all else: it is dead, or not there yet
    }
  }
  return answered;
}

async function counterOf(url: string): Promise<number> {
  const { body } = await call(url, "GET", `${configMaps}/counter`);
  return Number((body as { data?: { count?: string } }).data?.count);
}

async function predict(url: string): Promise<object> {
  const answer = await request(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(applicant),
  });
  expect(answer.statusCode).to.equal(200);
  return (await answer.body.json()) as object;
}

/** The sum of all containers' restarts. */
async function restarts(url: string): Promise<number> {
  const { body } = await call(url, "GET", "/api/v1/pods");
  const { items } = body as { items: { status: { containerStatuses?: { restartCount: number }[] } }[] };
  return items
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
}
