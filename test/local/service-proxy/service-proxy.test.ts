import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { pino } from "pino";
import { Agent, request } from "undici";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import type { Service } from "../../../local/cluster/objects.ts";
import { ClusterView } from "../../../local/cluster/view.ts";
import { ServiceProxy } from "../../../local/service-proxy/service-proxy.ts";
import { eventually } from "../kubelet/test-node.ts";

const SERVICES = "/api/v1/namespaces/default/services";
const PODS = "/api/v1/namespaces/default/pods";

describe("the service proxy", () => {
  let api: ApiServer;
  let client: ClusterClient;
  let view: ClusterView;
  let proxy: ServiceProxy;
  const logger = pino({ level: "silent" });
  const backends: Server[] = [];

  beforeEach(async () => {
    api = await startApiServer();
    client = ClusterClient.plain(api.url);
    view = new ClusterView(client, logger);
    await view.start();
    proxy = ServiceProxy.start({ client, view, firstPort: 18_080, logger });
  });
  afterEach(async () => {
    await proxy.close();
    await view.close();
    await client.close();
    await api.close();
    for (const backend of backends.splice(0)) {
      backend.close();
      backend.closeAllConnections();
    }
  });

  /** A ready pod that answers with its name. */
  async function addPod(name: string, app: string): Promise<void> {
    const backend = createServer((_, response) => response.end(name)).listen(0, "127.0.0.1");
    backends.push(backend);
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    const containers = [{ name: "main", image: "x", ports: [{ name: "http", containerPort: port }] }];
    const metadata = { name, namespace: "default", labels: { app } };
    await client.request("POST", PODS, { body: { apiVersion: "v1", kind: "Pod", metadata, spec: { containers } } });
    await setReady(name, "True");
  }

  async function setReady(pod: string, status: "True" | "False"): Promise<void> {
    const body = { status: { podIP: "127.0.0.1", conditions: [{ type: "Ready", status }] } };
    await client.request("PATCH", `${PODS}/${pod}/status`, { patch: "merge", body });
  }

  async function addService(name: string, app: string, type = "LoadBalancer"): Promise<void> {
    const spec = { type, selector: { app }, ports: [{ port: 80, targetPort: "http" }] };
    await client.request("POST", SERVICES, { body: { apiVersion: "v1", kind: "Service", metadata: { name }, spec } });
  }

  /** Answers of that many connections, each its own; "-" for one that was closed. */
  async function ask(service: string, connections: number): Promise<string[]> {
    const address = proxy.addressOf("default", service);
    const answers: string[] = [];
    for (let n = 0; n < connections; n++) {
      const dispatcher = new Agent();
      try {
        const answer = await request(`http://${address?.host}:${address?.port}/`, { dispatcher });
        answers.push(await answer.body.text());
      } catch {
        answers.push("-");
      } finally {
        await dispatcher.destroy();
      }
    }
    return answers;
  }

  const reachable = (service: string) => eventually(async () => (await ask(service, 1))[0] !== "-");

  it("shares a Service's connections among its ready pods, and reports where it is", async () => {
    await addPod("a", "loan");
    await addPod("b", "loan");
    await addService("front", "loan");
    await reachable("front");
    expect((await ask("front", 4)).sort()).to.deep.equal(["a", "a", "b", "b"]);
    const port = proxy.addressOf("default", "front")?.port ?? 0;
    expect(port).to.be.at.least(18_080);
    await eventually(async () => {
      const { status } = await client.request<Service>("GET", `${SERVICES}/front`);
      return status?.loadBalancer?.ingress?.[0]?.ip === "127.0.0.1";
    });
  });

  it("follows readiness and the selector at once, and keeps the port", async () => {
    await addPod("a", "loan");
    await addPod("b", "loan");
    await addPod("c", "other");
    await addService("front", "loan");
    await reachable("front");
    const { port } = proxy.addressOf("default", "front") ?? {};
    await setReady("a", "False");
    await eventually(async () => (await ask("front", 4)).every((answer) => answer === "b"));
    await client.request("PATCH", `${SERVICES}/front`, {
      patch: "merge",
      body: { spec: { selector: { app: "other" } } },
    });
    await eventually(async () => (await ask("front", 4)).every((answer) => answer === "c"));
    expect(proxy.addressOf("default", "front")?.port).to.equal(port);
  });

  it("keeps a connection where it is when its pod becomes unready", async () => {
    await addPod("a", "loan");
    await addService("front", "loan");
    await reachable("front");
    const { host, port } = proxy.addressOf("default", "front") ?? {};
    const dispatcher = new Agent({ connections: 1 });
    const keep = async () => (await request(`http://${host}:${port}/`, { dispatcher })).body.text();
    expect(await keep()).to.equal("a");
    await setReady("a", "False");
    await eventually(async () => (await ask("front", 1))[0] === "-");
    expect(await keep()).to.equal("a");
    await dispatcher.destroy();
  });

  it("gives each Service a port of its own, leaves inner ones alone, and frees the port of one that goes", async () => {
    await addPod("a", "loan");
    await addService("one", "loan");
    await addService("two", "loan", "NodePort");
    await addService("inner", "loan", "ClusterIP");
    await reachable("one");
    await reachable("two");
    expect(proxy.addressOf("default", "one")?.port).not.to.equal(proxy.addressOf("default", "two")?.port);
    expect(proxy.addressOf("default", "inner")).to.equal(undefined);
    await client.request("DELETE", `${SERVICES}/one`);
    await eventually(async () => proxy.addressOf("default", "one") === undefined);
  });

  it("gives a Service the port again that it had in a former run, and an asked one to nobody else", async () => {
    await proxy.close();
    // Below the ports that systems hand out, so that hardly anybody listens there; else it is one of the next.
    const former = 20_000 + 100 * Math.floor(Math.random() * 100);
    await addService("old", "loan");
    const ports = [{ port: former, protocol: "TCP" }];
    const body = { status: { loadBalancer: { ingress: [{ ip: "127.0.0.1", ports }] } } };
    await client.request("PATCH", `${SERVICES}/old/status`, { patch: "merge", body });
    const isSeen = () => view.services.get("default", "old")?.status?.loadBalancer?.ingress !== undefined;
    await eventually(async () => isSeen());

    proxy = ServiceProxy.start({ client, view, firstPort: 18_080, logger });
    await eventually(async () => proxy.addressOf("default", "old") !== undefined);
    expect(proxy.addressOf("default", "old")?.port).to.be.within(former, former + 50);
    await proxy.close();

    const asked = { service: "default/new", port: former };
    proxy = ServiceProxy.start({ client, view, firstPort: 18_080, asked, logger });
    await eventually(async () => proxy.addressOf("default", "old") !== undefined);
    expect(proxy.addressOf("default", "old")?.port).not.to.equal(former);
    await addService("new", "loan");
    await eventually(async () => proxy.addressOf("default", "new") !== undefined);
    expect(proxy.addressOf("default", "new")?.port).to.be.within(former, former + 50);
  });
});
