import type { ServerResponse } from "node:http";
import { expect } from "chai";
import { systemClock } from "../../../operator/kube/clock.ts";
import { Informer, type InformerOptions } from "../../../operator/kube/informer.ts";
import { configMaps, formatKey, type KubeObject } from "../../../operator/kube/objects.ts";
import { byLabel } from "../../../operator/kube/store.ts";
import { KubeTransport } from "../../../operator/kube/transport.ts";
import { eventually } from "./eventually.ts";
import { RecordingLog } from "./recording-log.ts";
import { kubeConfigFor, ScriptedServer, sendJson } from "./scripted-server.ts";

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

describe("Informer", () => {
  const cleanUp: (() => Promise<unknown>)[] = [];
  const log = new RecordingLog();

  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  /** ConfigMaps that a test changes; watches see the change, unless the connection was cut before. */
  class Cluster {
    readonly objects = new Map<string, ConfigMap>();
    readonly watches = new Set<ServerResponse>();
    lists = 0;
    version = 10;
    url = "";

    async start(): Promise<void> {
      const server = await ScriptedServer.start(({ query, path }, response) => {
        if (query.get("watch") === "true") {
          response.writeHead(200).flushHeaders();
          this.watches.add(response);
          response.on("close", () => this.watches.delete(response));
          return;
        }
        this.lists += 1;
        const items = [...this.objects.values()].filter(
          ({ metadata }) => !path.includes("/namespaces/") || path.includes(`/namespaces/${metadata.namespace}/`),
        );
        sendJson(response, { metadata: { resourceVersion: String(this.version) }, items });
      });
      this.url = server.url;
      cleanUp.push(() => server[Symbol.asyncDispose]());
    }

    put(name: string, more: { uid?: string; data?: Record<string, string>; app?: string; namespace?: string } = {}) {
      const { uid = `uid-${name}`, namespace = "credit", data, app } = more;
      const type = this.objects.has(`${namespace}/${name}`) ? "MODIFIED" : "ADDED";
      const object: ConfigMap = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name,
          namespace,
          uid,
          resourceVersion: String(++this.version),
          managedFields: [{ manager: "kubectl", operation: "Apply", apiVersion: "v1" }],
          ...(app && { labels: { app } }),
        },
        ...(data && { data }),
      };
      this.objects.set(`${namespace}/${name}`, object);
      this.send(type, object);
    }

    delete(name: string, namespace = "credit"): void {
      const object = this.objects.get(`${namespace}/${name}`);
      this.objects.delete(`${namespace}/${name}`);
      this.version += 1;
      if (object)
        this.send("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } });
    }

    /** What happens until the next list is seen by nobody. */
    expire(): void {
      for (const watch of this.watches) {
        watch.end(`${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } })}\n`);
      }
      this.watches.clear();
    }

    send(type: string, object: ConfigMap): void {
      for (const watch of this.watches) watch.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  async function informed(cluster: Cluster, options: Partial<InformerOptions<ConfigMap>> = {}) {
    const transport = new KubeTransport(kubeConfigFor(cluster.url), { userAgent: "tests" });
    cleanUp.push(() => transport.close());
    const informer = new Informer<ConfigMap>({
      client: transport,
      type: configMaps,
      namespaces: "all",
      clock: systemClock,
      log,
      ...options,
    });
    const told: string[] = [];
    informer.onChange((key, old, current) => {
      const sign = old === undefined ? "+" : current === undefined ? "-" : "~";
      told.push(`${sign}${formatKey(key)}`);
    });
    cleanUp.push(() => informer.stop());
    informer.start();
    return { informer, told };
  }

  async function started(): Promise<Cluster> {
    const cluster = new Cluster();
    await cluster.start();
    return cluster;
  }

  const watching = (cluster: Cluster, count = 1) =>
    eventually("the watches are open", () => cluster.watches.size === count);

  it("has told of everything that existed when it says that it synced", async () => {
    const cluster = await started();
    cluster.put("a");
    cluster.put("b");
    const { informer, told } = await informed(cluster);
    expect(informer.hasSynced).to.equal(false);
    await informer.synced();
    expect(informer.hasSynced).to.equal(true);
    expect(told).to.deep.equal(["+credit/a", "+credit/b"]);
  });

  it("tells of each change with what was and what is", async () => {
    const cluster = await started();
    const { informer, told } = await informed(cluster);
    const seen: [string | undefined, string | undefined][] = [];
    informer.onChange((_, old, current) => seen.push([old?.data?.x, current?.data?.x]));
    await watching(cluster);
    cluster.put("a", { data: { x: "1" } });
    cluster.put("a", { data: { x: "2" } });
    cluster.delete("a");
    await eventually("the deletion arrived", () => told.length === 3);
    expect(told).to.deep.equal(["+credit/a", "~credit/a", "-credit/a"]);
    expect(seen).to.deep.equal([
      [undefined, "1"],
      ["1", "2"],
      ["2", undefined],
    ]);
    expect(informer.store.size).to.equal(0);
  });

  it("sees after a relist what came, changed, went, or was made anew meanwhile, and is silent about the rest", async () => {
    const cluster = await started();
    for (const name of ["same", "changes", "goes", "anew"]) cluster.put(name);
    const { told } = await informed(cluster);
    await watching(cluster);
    told.length = 0;
    cluster.expire();
    cluster.put("changes", { data: { x: "2" } });
    cluster.delete("goes");
    cluster.put("anew", { uid: "another" });
    cluster.put("comes");
    await eventually("it listed again", () => cluster.lists === 2 && told.length >= 5);
    expect(told).to.have.members(["~credit/changes", "-credit/goes", "-credit/anew", "+credit/anew", "+credit/comes"]);
    expect(told.indexOf("-credit/anew")).to.be.below(told.indexOf("+credit/anew"));
  });

  it("does not take the late deletion of an earlier object for that of its successor", async () => {
    const cluster = await started();
    cluster.put("a");
    const former = cluster.objects.get("credit/a")!;
    const { informer, told } = await informed(cluster);
    await watching(cluster);
    cluster.put("a", { uid: "successor" });
    cluster.send("DELETED", former);
    cluster.put("b");
    await eventually("b arrived", () => told.includes("+credit/b"));
    expect(told).to.deep.equal(["+credit/a", "-credit/a", "+credit/a", "+credit/b"]);
    expect(informer.store.get({ namespace: "credit", name: "a" })).to.have.nested.property("metadata.uid", "successor");
  });

  it("watches several namespaces, and a relist of one takes nothing from another", async () => {
    const cluster = await started();
    cluster.put("a", { namespace: "one" });
    cluster.put("a", { namespace: "two" });
    cluster.put("a", { namespace: "three" });
    const { informer, told } = await informed(cluster, { namespaces: ["one", "two"] });
    await informer.synced();
    await watching(cluster, 2);
    cluster.expire();
    await eventually("both listed again", () => cluster.lists === 4);
    await watching(cluster, 2);
    expect(told).to.have.members(["+one/a", "+two/a"]);
  });

  it("drops managedFields, or what its trim drops", async () => {
    const cluster = await started();
    cluster.put("a", { data: { secret: "x" } });
    const plain = (await informed(cluster)).informer;
    const trimmed = (
      await informed(cluster, { trim: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata }) })
    ).informer;
    await Promise.all([plain.synced(), trimmed.synced()]);
    expect(plain.store.list()[0]!.metadata).not.to.have.property("managedFields");
    expect(trimmed.store.list()[0]).not.to.have.property("data");
  });

  it("keeps its indexes current", async () => {
    const cluster = await started();
    cluster.put("a", { app: "loan" });
    const { informer, told } = await informed(cluster, { indexes: { app: byLabel("app") } });
    await watching(cluster);
    cluster.put("a", { app: "fraud" });
    await eventually("the change arrived", () => told.length === 2);
    expect(informer.store.byIndex("app", "credit/loan")).to.deep.equal([]);
    expect(informer.store.byIndex("app", "credit/fraud").length).to.equal(1);
  });

  it("tells a handler that comes late of what is there", async () => {
    const cluster = await started();
    cluster.put("a");
    const { informer } = await informed(cluster);
    await informer.synced();
    const late: string[] = [];
    informer.onChange((key) => late.push(key.name));
    expect(late).to.deep.equal(["a"]);
  });

  it("survives a handler that throws, and still tells the others", async () => {
    const cluster = await started();
    const { informer, told } = await informed(cluster);
    const others: string[] = [];
    informer.onChange(() => {
      throw new Error("handler broke");
    });
    informer.onChange((key) => others.push(key.name));
    await watching(cluster);
    cluster.put("a");
    cluster.put("b");
    await eventually("both changes arrived", () => told.length === 2);
    expect(others).to.deep.equal(["a", "b"]);
    expect(log.lines.at(-1)!.fields).to.have.nested.property("err.message", "handler broke");
  });
});
