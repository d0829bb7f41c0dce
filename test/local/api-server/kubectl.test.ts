import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { findProgram } from "../../support/programs.ts";

const run = promisify(execFile);

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: nginx, image: "nginx:1.25" }] }
`;

describe("the stock kubectl", function () {
  this.timeout(60_000);
  let kubectl: string;
  let server: ApiServer;
  let folder: string;
  const ask = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(kubectl, args, {
      env: { KUBECONFIG: join(folder, "kubeconfig"), HOME: folder },
    });
    return stdout.trim();
  };

  before(async () => {
    kubectl = await findProgram("kubectl");
    server = await startApiServer({
      podLogs: {
        async *read({ name }, { container }) {
          yield `hello from ${name}/${container}\n`;
        },
      },
    });
    folder = await mkdtemp(join(tmpdir(), "slipway-kubectl-"));
    await writeFile(join(folder, "kubeconfig"), server.kubeconfig());
    await writeFile(join(folder, "web.yaml"), manifest);
  });
  after(async () => {
    if (folder) await rm(folder, { recursive: true });
    await server?.close();
  });

  it("applies on the client's and on the server's side", async () => {
    const file = join(folder, "web.yaml");
    expect(await ask("apply", "-f", file)).to.equal("deployment.apps/web created");
    expect(await ask("apply", "-f", file)).to.equal("deployment.apps/web unchanged");
    expect(await ask("apply", "--server-side", "-f", file)).to.equal("deployment.apps/web serverside-applied");
  });

  it("gets, patches, scales, labels and describes", async () => {
    expect(await ask("get", "deployment", "web", "-o", "wide")).to.match(
      /NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/2 +0 +0 +\d+s +nginx +nginx:1.25 +app=web/,
    );
    expect(
      await ask(
        "patch",
        "deployment",
        "web",
        "-p",
        `{"spec":{"template":{"spec":{"containers":[{"name":"nginx","image":"nginx:1.26"}]}}}}`,
      ),
    ).to.contain("patched");
    expect(await ask("scale", "deployment", "web", "--replicas=3")).to.contain("scaled");
    expect(await ask("label", "deployment", "web", "tier=front")).to.contain("labeled");
    expect(
      await ask(
        "get",
        "deployment",
        "-l",
        "tier=front",
        "-o",
        "jsonpath={.items[*].spec.replicas} {.items[*].spec.template.spec.containers[0].image}",
      ),
    ).to.equal("3 nginx:1.26");
    expect(await ask("describe", "deployment", "web")).to.match(/Replicas: +3 desired/);
  });

  it("creates namespaces and ConfigMaps, which it sends as protobuf", async () => {
    expect(await ask("create", "namespace", "team")).to.equal("namespace/team created");
    expect(await ask("-n", "team", "create", "configmap", "settings", "--from-literal=a=b")).to.equal(
      "configmap/settings created",
    );
    expect(await ask("-n", "team", "get", "configmap", "settings", "-o", "jsonpath={.data}")).to.equal(`{"a":"b"}`);
    await ask("-n", "team", "create", "deployment", "web", "--image=nginx:1.25", "--port=80", "--replicas=2");
    const template =
      "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports} {.spec.template.spec.restartPolicy}";
    expect(await ask("-n", "team", "get", "deployment", "web", "-o", template)).to.equal(
      `2 [{"containerPort":80,"protocol":"TCP"}] Always`,
    );
    await ask("-n", "team", "create", "service", "clusterip", "web", "--tcp=80:8080");
    expect(await ask("-n", "team", "get", "service", "web", "-o", "jsonpath={.spec.ports[0].targetPort}")).to.equal(
      "8080",
    );
    expect(await ask("auth", "can-i", "create", "pods")).to.equal("yes");
  });

  it("reads logs and waits for conditions", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { containers: [{ name: "c", image: "x:1" }] },
    };
    await writeFile(join(folder, "pod.json"), JSON.stringify(pod));
    await ask("create", "-f", join(folder, "pod.json"));
    expect(await ask("logs", "p")).to.equal("hello from p/c");
    const waiting = ask("wait", "--for=condition=Ready", "pod/p", "--timeout=20s");
    await ask(
      "patch",
      "pod",
      "p",
      "--subresource=status",
      "-p",
      `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`,
    );
    expect(await waiting).to.equal("pod/p condition met");
  });

  it("deletes and finds nothing afterwards", async () => {
    expect(await ask("delete", "deployment", "web")).to.match(/^deployment\.apps "web" deleted/);
    expect(await ask("get", "deployments", "--ignore-not-found")).to.equal("");
  });
});
