import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

import { expect } from "chai";

const run = promisify(execFile);

/** In the project, whose package.json says that these files are ES modules. */
const FOLDER = join("dist", `test-operator-${process.pid}`);

describe("The bundle of the operator", () => {
  let outside: string;

  before(async () => {
    outside = await mkdtemp(join(tmpdir(), "slipway-bundle-"));
    await run(process.execPath, ["scripts/bundle-operator.ts", FOLDER]);
  });
  after(() => Promise.all([FOLDER, outside].map((folder) => rm(folder, { recursive: true, force: true }))));

  it("asks its API server, serves health and metrics, and ends when it is told to", async () => {
    const { promise: asked, resolve } = Promise.withResolvers<string>();
    const server = createServer((request, response) => {
      resolve(request.headers["user-agent"] ?? "");
      response.writeHead(503).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const kubeconfig = join(outside, "kubeconfig");
    await writeFile(kubeconfig, JSON.stringify(kubeConfigOf(`http://127.0.0.1:${port}`)));
    const flags = ["--bind-address", "127.0.0.1", "--health-port", "0", "--metrics-port", "0"];
    const operator = spawn(process.execPath, [join(FOLDER, "main.js"), ...flags], {
      env: { PATH: process.env["PATH"] ?? "", KUBECONFIG: kubeconfig },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      expect(await asked).to.equal("slipway-operator");
      const { healthPort, metricsPort } = await started(operator.stdout);
      expect((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status).to.equal(200);
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      expect(metrics).to.include("workqueue_depth");
      const ended = once(operator, "exit");
      operator.kill("SIGTERM");
      expect(await ended).to.deep.equal([0, null]);
    } finally {
      operator.kill("SIGKILL");
      server.closeAllConnections();
      server.close();
    }
  });

  it("has the command for machines without kubectl beside it", async () => {
    const { stdout } = await run(process.execPath, [join(FOLDER, "cli/main.js"), "--help"]);
    expect(stdout).to.include("Usage: slipway");
  });
});

function kubeConfigOf(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server } }],
    users: [{ name: "test", user: {} }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
  };
}

/** What the operator logs once its ports are open. */
async function started(stdout: Readable): Promise<{ healthPort: number; metricsPort: number }> {
  let text = "";
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const [line] = /\{.*"operator started".*\}/.exec(text) ?? [];
    if (line !== undefined) return JSON.parse(line) as { healthPort: number; metricsPort: number };
  }
  throw new Error(`the operator ended: ${text}`);
}
