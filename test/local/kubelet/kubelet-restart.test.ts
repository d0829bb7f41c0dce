import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import type { Pod } from "../../../local/cluster/objects.ts";
import { processIdentity } from "../../../local/process-identity.ts";
import { eventually } from "./test-node.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

/** Two processes of Node, one after the other, on a machine that tests keep busy. */
const START_MS = 15_000;

describe("a kubelet that was killed", function () {
  this.timeout(30_000);
  let folder: string;
  let api: ApiServer;
  let client: ClusterClient;
  let kubelet: ChildProcess | undefined;
  beforeEach(async () => {
    api = await startApiServer();
    client = ClusterClient.plain(api.url);
    folder = mkdtempSync(join(tmpdir(), "slipway-kubelet-"));
  });
  afterEach(async () => {
    if (kubelet?.exitCode === null && kubelet.kill("SIGTERM")) await once(kubelet, "exit");
    await client.close();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("ends, at its next start, what it left behind and nothing else, and runs its pods again", async () => {
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, api.kubeconfig());
    // Without a PATH there is no command that would tie the containers to the kubelet: the ledger alone must do.
    const start = () => {
      const args = ["--kubeconfig", kubeconfig, "--folder", join(folder, "state"), "--node-name", "phoenix"];
      kubelet = spawn(process.execPath, [join(PROJECT, "local/kubelet/main.ts"), ...args], {
        env: { ...process.env, PATH: "" },
        stdio: "ignore",
      });
      return kubelet;
    };
    const path = "/api/v1/namespaces/default/pods/survivor";
    const container = async () => (await client.request<Pod>("GET", path)).status?.containerStatuses?.[0];

    const first = start();
    const spec = {
      nodeName: "phoenix",
      containers: [
        {
          name: "runtime",
          image: "slipway-runtime",
          env: [{ name: "MODEL_URI", value: join(PROJECT, "examples/loan/1.0.0") }],
          readinessProbe: { httpGet: { path: "/health", port: 8000 }, periodSeconds: 1 },
        },
      ],
    };
    const metadata = { name: "survivor", namespace: "default" };
    await client.request("POST", "/api/v1/namespaces/default/pods", {
      body: { apiVersion: "v1", kind: "Pod", metadata, spec },
    });
    await eventually(async () => (await container())?.ready === true, START_MS);
    const ledger = join(folder, "state", "processes.json");
    const entries = JSON.parse(readFileSync(ledger, "utf8")) as { pid: number; identity: string }[];
    const [orphan] = entries;
    expect(entries).to.have.lengthOf(1);
    first.kill("SIGKILL");
    await once(first, "exit");
    expect(processIdentity(orphan?.pid ?? 0), "it outlives its kubelet").to.equal(orphan?.identity);
    // Another process that has the pid of a former container, as far as the file can tell.
    const stranger = { pid: process.pid, identity: "another boot/1", what: "stranger" };
    writeFileSync(ledger, JSON.stringify([...entries, stranger]));

    start();
    const isBack = async () => {
      const { restartCount, ready } = (await container()) ?? {};
      return restartCount === 1 && ready === true;
    };
    await eventually(isBack, START_MS);
    expect(processIdentity(orphan?.pid ?? 0)).to.equal(undefined);
    expect((await container())?.lastState?.terminated).to.include({ exitCode: 137, reason: "ContainerStatusUnknown" });
  });
});
