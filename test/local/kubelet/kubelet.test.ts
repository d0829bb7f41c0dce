import { expect } from "chai";
import { request } from "undici";
import type { Pod } from "../../../local/cluster/objects.ts";
import { processIdentity } from "../../../local/process-identity.ts";
import { condition, eventually, NODE, ready, TestNode } from "./test-node.ts";

/** Answers /healthy as its environment and files say, and `/` with what it sees. */
const SERVER = `
  const http = require("node:http"), fs = require("node:fs");
  http.createServer((request, response) => {
    if (request.url === "/ready") response.statusCode = fs.existsSync(process.env.TMPDIR + "/unready") ? 503 : 200;
    else if (request.url === "/make-unready") fs.writeFileSync(process.env.TMPDIR + "/unready", "");
    else if (request.url === "/file") return response.end(fs.readFileSync(process.env.CONFIG + "/greeting"));
    response.end(JSON.stringify(process.env));
  }).listen(Number(process.env.PORT), process.env.HOST);
  process.on("SIGTERM", () => { console.log("told to end"); process.exit(0); });`;

const PORTS = [{ name: "http", containerPort: 8000 }];
const READINESS = { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1, failureThreshold: 1 };
const server = (more: object = {}) => ({
  container: { ports: PORTS, env: [{ name: "PORT", value: "8000" }], readinessProbe: READINESS, ...more },
});

describe("the local kubelet", () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start();
  });
  after(() => node.close());

  it("registers a Ready node with a lease", async () => {
    type Node = { status: { conditions: { type: string; status: string }[]; allocatable: { pods: string } } };
    const { status } = await node.client.request<Node>("GET", `/api/v1/nodes/${NODE}`);
    expect(status.conditions).to.deep.include.members([
      { ...status.conditions.find(({ type }) => type === "Ready"), type: "Ready", status: "True" },
    ]);
    expect(status.allocatable.pods).to.equal("110");
    const lease = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${NODE}`;
    const { spec } = await node.client.request<{ spec: { holderIdentity: string } }>("GET", lease);
    expect(spec.holderIdentity).to.equal(NODE);
  });

  it("runs a pod as a process with an address of its own and only the environment that the pod asks for", async () => {
    await node.run("seen", SERVER, {
      metadata: { labels: { app: "seen" } },
      ...server({
        env: [
          { name: "PORT", value: "8000" },
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: "LIMIT", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
          { name: "URL", value: "http://$(NAME):$(PORT)/$$(PORT)/$(UNKNOWN)" },
        ],
        resources: { limits: { memory: "512Mi" } },
      }),
    });
    const { status } = await node.pod("seen", ready);
    const answer = await request(`http://${status?.podIP}:8000/`);
    const environment = (await answer.body.json()) as Record<string, string>;
    expect(environment).to.include({
      NAME: "seen",
      APP: "seen",
      LIMIT: "512",
      URL: "http://seen:8000/$(PORT)/$(UNKNOWN)",
      HOST: status?.podIP,
      PATH: "/usr/bin:/bin",
    });
    const own = ["HOME", "HOSTNAME", "HOST", "PATH", "TMPDIR", "TERMINATION_MESSAGE_PATH", "PROCESSES"];
    expect(Object.keys(environment).sort()).to.deep.equal([...own, "PORT", "NAME", "APP", "LIMIT", "URL"].sort());
    expect(status).to.include({ phase: "Running", hostIP: status?.hostIP });
    expect((await node.eventsUntil("seen", "Started")).map(({ reason }) => reason)).to.have.members([
      "Created",
      "Started",
    ]);
  });

  it("finds its programs where they are, also when the pod mounts something over their folder", async () => {
    const volumeMounts = [{ name: "scratch", mountPath: `/${process.execPath.split("/")[1]}` }];
    const spec = { volumes: [{ name: "scratch", emptyDir: {} }] };
    await node.run("covered", SERVER, { ...server({ volumeMounts }), spec });
    await node.pod("covered", ready);
    const spoken = { env: [{ name: "MODEL_URI", value: "/nowhere" }], volumeMounts };
    await node.run("runtime", "", { container: { image: "slipway-runtime", args: [], ...spoken }, spec });
    const pod = await node.pod("runtime", (now) => mainOf(now)?.lastState?.terminated !== undefined);
    expect(mainOf(pod)?.lastState?.terminated?.message).to.contain("ArtifactNotFound");
  });

  it("takes readiness back when the probe fails, and says why", async () => {
    await node.run("fickle", SERVER, server());
    const { status } = await node.pod("fickle", ready);
    await (await request(`http://${status?.podIP}:8000/make-unready`)).body.dump();
    const pod = await node.pod("fickle", (now) => condition(now, "Ready") === "False");
    expect(pod.status?.conditions?.find(({ type }) => type === "Ready")?.message).to.contain("[main]");
    const [event] = (await node.eventsUntil("fickle", "Unhealthy")).filter(({ reason }) => reason === "Unhealthy");
    expect(event).to.include({ type: "Warning" });
    expect(event?.message).to.match(/^Readiness probe failed: HTTP probe failed with statuscode: 503/);
  });

  it("restarts what fails its liveness probe", async () => {
    const livenessProbe = { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1, failureThreshold: 1 };
    await node.run("stuck", SERVER, server({ livenessProbe }));
    const { status } = await node.pod("stuck", ready);
    await (await request(`http://${status?.podIP}:8000/make-unready`)).body.dump();
    const restarted = await node.pod("stuck", (pod) => mainOf(pod)?.restartCount === 1);
    expect(mainOf(restarted)?.lastState?.terminated).to.include({ exitCode: 0, reason: "Completed" });
  });

  it("keeps a container back until its startup probe passes", async () => {
    const startupProbe = { tcpSocket: { port: 8000 }, periodSeconds: 1, failureThreshold: 60 };
    const slow = `setTimeout(() => { ${SERVER} }, 400);`;
    await node.run("slow", slow, server({ startupProbe }));
    const waiting = await node.pod("slow", (pod) => mainOf(pod)?.state?.running !== undefined);
    expect(mainOf(waiting)).to.include({ started: false, ready: false });
    const { status } = await node.pod("slow", ready);
    expect(status?.containerStatuses?.[0]).to.include({ started: true, restartCount: 0 });
    expect((await node.events("slow")).map(({ reason }) => reason)).not.to.include("Unhealthy");
  });

  it("reports why a container ended, restarts it, and backs off when it crashes again", async () => {
    const script = `require("node:fs").writeFileSync(process.env.TERMINATION_MESSAGE_PATH, "no model");
      console.log("run"); process.exit(3);`;
    await node.run("crash", script, {
      container: {
        terminationMessagePath: "/dev/termination-log",
        env: [{ name: "TERMINATION_MESSAGE_PATH", value: "/dev/termination-log" }],
      },
    });
    const pod = await node.pod("crash", (now) => mainOf(now)?.state?.waiting?.reason === "CrashLoopBackOff");
    expect(mainOf(pod)?.lastState?.terminated).to.include({ exitCode: 3, reason: "Error", message: "no model" });
    expect(mainOf(pod)?.restartCount).to.equal(1);
    expect(pod.status?.phase).to.equal("Running");
    await node.pod("crash", (now) => (mainOf(now)?.restartCount ?? 0) >= 3);
    expect(await node.logs("crash", { previous: true })).to.equal("run\n");
    await node.eventsUntil("crash", "BackOff");
  });

  it("takes the end of the log for a termination message when the pod asks for that", async () => {
    await node.run("wordless", `console.error("boom"); process.exit(1);`, {
      container: { terminationMessagePolicy: "FallbackToLogsOnError" },
      spec: { restartPolicy: "Never", nodeName: NODE },
    });
    const { status } = await node.pod("wordless", (pod) => pod.status?.phase === "Failed");
    expect(status?.containerStatuses?.[0]?.state?.terminated).to.include({ exitCode: 1, message: "boom" });
  });

  it("runs a pod to its end once when it shall not restart", async () => {
    await node.run("job", `console.log("done")`, { spec: { restartPolicy: "OnFailure" } });
    const { status } = await node.pod("job", (pod) => pod.status?.phase === "Succeeded");
    expect(status?.containerStatuses?.[0]?.state?.terminated).to.include({ exitCode: 0, reason: "Completed" });
    expect(await node.logs("job")).to.equal("done\n");
  });

  it("runs init containers one after the other, before the others", async () => {
    const init = (name: string) => ({ name, image: "node", args: ["-e", `console.log("${name}")`] });
    await node.run("ordered", SERVER, { ...server(), spec: { initContainers: [init("first"), init("second")] } });
    const { status } = await node.pod("ordered", ready);
    const ends = status?.initContainerStatuses?.map(({ name, state }) => [name, state?.terminated?.reason]);
    expect(ends).to.deep.equal([
      ["first", "Completed"],
      ["second", "Completed"],
    ]);
  });

  it("says which images it runs when it is given another", async () => {
    await node.run("foreign", "", { container: { image: "docker.io/library/nginx:1.29" } });
    const pod = await node.pod("foreign", (now) => mainOf(now)?.state?.waiting?.reason === "ErrImagePull");
    expect(mainOf(pod)?.state?.waiting?.message).to.match(
      /^the local kubelet runs only the images slipway-runtime, envoy/,
    );
    expect(pod.status?.phase).to.equal("Pending");
  });

  it("waits for a ConfigMap, mounts it, and shows its changes to the running process at once", async () => {
    await node.run("mounted", SERVER, {
      ...server({
        env: [
          { name: "PORT", value: "8000" },
          { name: "CONFIG", value: "/etc/config" },
        ],
        volumeMounts: [{ name: "config", mountPath: "/etc/config" }],
      }),
      spec: { volumes: [{ name: "config", configMap: { name: "greetings" } }] },
    });
    const waiting = await node.pod("mounted", (pod) => mainOf(pod)?.state?.waiting !== undefined);
    expect(mainOf(waiting)?.state?.waiting?.reason).to.equal("ContainerCreating");
    const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "greetings" } };
    await node.create("configmaps", { ...configMap, data: { greeting: "hello" } });
    const { status } = await node.pod("mounted", ready);
    const file = async () => (await request(`http://${status?.podIP}:8000/file`)).body.text();
    expect(await file()).to.equal("hello");

    await node.client.request("PATCH", "/api/v1/namespaces/default/configmaps/greetings", {
      patch: "merge",
      body: { data: { greeting: "goodbye" } },
    });
    await eventually(async () => (await file()) === "goodbye");
    const failures = await node.eventsUntil("mounted", "FailedMount");
    expect(failures.map(({ message }) => message)).to.include('configmap "greetings" not found');
  });

  it("waits with a clear reason for a Secret's key, and starts when it is there", async () => {
    const secretKeyRef = { name: "keys", key: "token" };
    await node.run("secretive", SERVER, {
      ...server({
        env: [
          { name: "PORT", value: "8000" },
          { name: "TOKEN", valueFrom: { secretKeyRef } },
        ],
      }),
    });
    const pod = await node.pod(
      "secretive",
      (now) => mainOf(now)?.state?.waiting?.reason === "CreateContainerConfigError",
    );
    expect(mainOf(pod)?.state?.waiting?.message).to.equal("couldn't find key token in secret default/keys");
    const data = { token: Buffer.from("s3cret").toString("base64") };
    await node.create("secrets", { apiVersion: "v1", kind: "Secret", metadata: { name: "keys" }, data });
    const { status } = await node.pod("secretive", ready);
    const environment = (await (await request(`http://${status?.podIP}:8000/`)).body.json()) as object;
    expect(environment).to.include({ TOKEN: "s3cret" });
  });

  it("ends a deleted pod in order: unready at once, preStop, SIGTERM, then the object", async () => {
    await node.run("leaving", SERVER, server({ lifecycle: { preStop: { sleep: { seconds: 1 } } } }));
    const { status } = await node.pod("leaving", ready);
    const log = node.kubelet.readLog(
      { namespace: "default", pod: "leaving", follow: true, timestamps: true },
      new AbortController().signal,
    );
    const deletedAt = Date.now();
    await node.delete("leaving");
    await node.pod("leaving", (pod) => condition(pod, "Ready") === "False");
    const answer = await request(`http://${status?.podIP}:8000/`);
    expect(answer.statusCode, "it still serves during preStop").to.equal(200);
    await answer.body.dump();
    const lines: string[] = [];
    for await (const line of log) lines.push(line);
    const [line] = lines;
    expect(line).to.match(/ told to end\n$/);
    expect(Date.parse(line?.split(" ")[0] ?? "") - deletedAt).to.be.at.least(1000);
    await node.gone("leaving");
  });

  it("kills what does not end within the grace period, and its children", async () => {
    const stubborn = `process.on("SIGTERM", () => {});
      require("node:child_process").spawn("sleep", ["1000"], { stdio: "ignore" }).on("spawn", function () { console.log(this.pid); });
      setInterval(() => {}, 1000);`;
    await node.run("stubborn", stubborn, { spec: { terminationGracePeriodSeconds: 1 } });
    await node.pod("stubborn", ready);
    await eventually(async () => (await node.logs("stubborn")) !== "");
    const child = await node.logs("stubborn");
    await node.delete("stubborn");
    await node.gone("stubborn");
    await eventually(async () => processIdentity(Number(child)) === undefined);
  });
});

function mainOf(pod: Pod) {
  return pod.status?.containerStatuses?.[0];
}
