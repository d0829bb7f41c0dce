import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { findProgram } from "../../support/programs.ts";
import { call, mergePatch } from "./api-call.ts";

const pods = "/api/v1/namespaces/default/pods";

describe("what kubectl streams to pods", function () {
  this.timeout(60_000);
  let kubectl: string;
  let server: ApiServer;
  let folder: string;
  before(async () => {
    kubectl = await findProgram("kubectl");
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), "slipway-streams-"));
    await writeFile(join(folder, "kubeconfig"), server.kubeconfig());
    const container = { name: "web", image: "x:1", ports: [{ containerPort: 8000 }] };
    await call(server.url, "POST", pods, { body: { metadata: { name: "p" }, spec: { containers: [container] } } });
    const status = {
      phase: "Running",
      podIP: "127.77.0.2",
      containerStatuses: [{ name: "web", containerID: "process://4711", state: { running: {} } }],
    };
    await call(server.url, "PATCH", `${pods}/p/status`, { type: mergePatch, body: { status } });
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await server.close();
  });
  const complaint = async (...args: string[]): Promise<string> => {
    const env = { KUBECONFIG: join(folder, "kubeconfig"), HOME: folder };
    const outcome = await promisify(execFile)(kubectl, args, { env }).then(
      () => "it did",
      (error: { stderr: string }) => error.stderr,
    );
    return outcome.trim();
  };

  it("port-forward is told where the pod is", async () => {
    expect(await complaint("port-forward", "pod/p", ":8000")).to.contain(
      "port-forward is not served here, nor needed: this machine reaches the pod at 127.77.0.2:8000",
    );
  });

  it("exec and attach are told what to do instead", async () => {
    expect(await complaint("exec", "p", "--", "ls")).to.contain("web is process 4711 of this machine");
    expect(await complaint("attach", "p")).to.contain("attach is not served here: see kubectl logs -f");
  });

  it("is NotFound for a pod that is not there", async () => {
    const { code } = await call(server.url, "GET", `${pods}/nobody/portforward`);
    expect(code).to.equal(404);
  });
});
