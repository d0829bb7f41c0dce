import { expect } from "chai";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { pino } from "pino";
import { request } from "undici";
import { startRouter, type Router } from "../../../local/router/router.ts";
import { readRouterStatus } from "../../../operator/reconcile/router-status.ts";
import { createBucketer, type Bucketer } from "../../../operator/traffic/bucket.ts";
import { VERSION_HEADER } from "../../../operator/traffic/envoy-routes.ts";
import { rebalance, revisionAt, splitOf, type Shares, type Split } from "../../../operator/traffic/intervals.ts";
import { startBackend, type Backend } from "../../local/router/backend.ts";
import { eventually } from "../../local/router/condition.ts";
import { ConfigFolder, SALT, trafficConfig, type Ports, type Traffic } from "../../local/router/config-folder.ts";
import { CONNECTIONS, shareOf, underLoad, USERS, versionsMet } from "../../local/router/users.ts";
import { freePorts, startEnvoy, type EnvoyProcess } from "./envoy-process.ts";

const shares = (percent: Record<string, number>): Shares => new Map(Object.entries(percent));

const EIGHTY_TWENTY = splitOf(shares({ "v1-a": 80, "v2-a": 20 }));
const SIXTY_FORTY = rebalance(EIGHTY_TWENTY, shares({ "v1-a": 60, "v2-a": 40 })).split;

/** The same revision stands several times, and out of order. */
const SCATTERED: Split = [
  { revision: "v2-a", buckets: 1_234 },
  { revision: "v1-a", buckets: 1 },
  { revision: "v3-a", buckets: 3_000 },
  { revision: "v2-a", buckets: 765 },
  { revision: "v1-a", buckets: 4_999 },
  { revision: "v3-a", buckets: 1 },
];

describe("Envoy and the local router, given the same config", function () {
  this.timeout(60_000);
  const binary = process.env["ENVOY"];

  let backends: Record<"v1" | "v2" | "v3", Backend>;
  let ports: Ports;
  let folders: { envoy: ConfigFolder; local: ConfigFolder };
  let envoy: EnvoyProcess;
  let router: Router;
  let bucket: Bucketer;
  const others: Backend[] = [];

  const anotherBackend = async (name: string) => {
    const backend = await startBackend(name);
    others.push(backend);
    return backend;
  };
  const pods = (): Traffic["pods"] => ({ "v1-a": [backends.v1], "v2-a": [backends.v2], "v3-a": [backends.v3] });
  const envoyOrigin = () => `http://127.0.0.1:${ports.traffic}`;
  const envoyStatus = () => readRouterStatus({ address: "127.0.0.1", port: ports.status });
  const localStatus = () => readRouterStatus({ address: "127.0.0.1", port: router.status.port });
  const modelSays = (current: Split) =>
    new Map(USERS.map((user) => [user, revisionAt(current, bucket(SALT, user)).slice(0, 2)]));

  /** Both have the config, and as many healthy pods as it names. */
  const shiftTo = async (traffic: Traffic) => {
    const { clusters, routes } = await folders.envoy.writeTraffic(traffic);
    await folders.local.writeTraffic(traffic);
    const wanted = Object.entries(traffic.pods);
    for (const [name, status] of [
      ["Envoy", envoyStatus],
      ["the local router", localStatus],
    ] as const) {
      await eventually(`${name} has the new config`, async () => {
        const { clustersVersion, routesHash, healthyHosts } = await status().catch(() => unknown);
        const healthy = wanted.every(([revision, { length }]) => (healthyHosts.get(revision) ?? 0) === length);
        return healthy && clustersVersion === clusters.version && routesHash === routes.hash;
      });
    }
  };
  const unknown = { clustersVersion: "", routesHash: "", healthyHosts: new Map<string, number>() };

  before(async function () {
    if (binary === undefined) return this.skip();
    bucket = await createBucketer();
    backends = { v1: await startBackend("v1"), v2: await startBackend("v2"), v3: await startBackend("v3") };
    ports = await freePorts();
    folders = { envoy: await ConfigFolder.create(ports), local: await ConfigFolder.create() };
    const traffic = { split: EIGHTY_TWENTY, pods: pods() };
    await Promise.all([folders.envoy.writeTraffic(traffic), folders.local.writeTraffic(traffic)]);
    envoy = startEnvoy(binary, folders.envoy.bootstrapFile);
    const logger = pino({ enabled: false });
    router = await startRouter({ bootstrapFile: folders.local.bootstrapFile, logger, random: Math.random });
  });

  after(async () => {
    if (binary === undefined) return;
    await Promise.all([envoy.stop(), router.stop(0)]);
    await Promise.all([...Object.values(backends), ...others].map((backend) => backend.stop()));
    await Promise.all([folders.envoy.remove(), folders.local.remove()]);
  });

  beforeEach(() => shiftTo({ split: EIGHTY_TWENTY, pods: pods() }));

  for (const [title, current] of [
    ["80 to 20", EIGHTY_TWENTY],
    ["60 to 40 after 80 to 20", SIXTY_FORTY],
    ["scattered intervals", SCATTERED],
  ] as const) {
    it(`give each of 5,000 users the version that the model says: ${title}`, async () => {
      await shiftTo({ split: current, pods: pods() });
      const byEnvoy = await versionsMet(ports.traffic);
      expect(byEnvoy).to.deep.equal(modelSays(current));
      expect(await versionsMet(router.traffic.port)).to.deep.equal(byEnvoy);
    });
  }

  it("move only users of v1 to v2 when 80 to 20 becomes 60 to 40", async () => {
    const before = await versionsMet(ports.traffic);
    await shiftTo({ split: SIXTY_FORTY, pods: pods() });
    const after = await versionsMet(ports.traffic);
    const moves = new Set(
      USERS.filter((u) => before.get(u) !== after.get(u)).map((u) => `${before.get(u)} to ${after.get(u)}`),
    );
    expect([...moves]).to.deep.equal(["v1 to v2"]);
    expect(shareOf("v1", after)).to.be.closeTo(0.6, 0.03);
  });

  it("agree on keys that are not plain: other alphabets, empty, several at once", async () => {
    await shiftTo({ split: SCATTERED, pods: pods() });
    const unusual = ["zoë", "用户-1", "", "a,b", "%41", "\\1", "user-1"];
    const odd = unusual.map((key) => Buffer.from(key).toString("latin1"));
    const several = USERS.slice(0, 100).map((user, i) => [user, `other-${i}`]);
    for (const key of [...odd, ...several]) {
      const [byEnvoy, byLocal] = await Promise.all(
        [ports.traffic, router.traffic.port].map(async (port) => {
          const { headers, body } = await request(`http://127.0.0.1:${port}/`, { headers: { "x-user-id": key } });
          await body.dump();
          return headers[VERSION_HEADER];
        }),
      );
      expect(byLocal, `for ${JSON.stringify(key)}`).to.equal(byEnvoy);
      const plain = typeof key === "string" ? unusual[odd.indexOf(key)] : undefined;
      if (plain !== undefined) expect(byEnvoy, plain).to.equal(revisionAt(SCATTERED, bucket(SALT, plain)).slice(0, 2));
    }
  });

  it("answer pins alike, and deal requests without a key at random", async () => {
    for (const origin of [envoyOrigin(), `http://127.0.0.1:${router.traffic.port}`]) {
      const pinned = await request(origin, { headers: { [VERSION_HEADER]: "v3" } });
      expect([await pinned.body.text(), pinned.headers[VERSION_HEADER]]).to.deep.equal(["v3", "v3"]);
      const misspelt = await request(origin, { headers: { [VERSION_HEADER]: "v33" } });
      expect([misspelt.statusCode, misspelt.headers["content-type"]]).to.deep.equal([404, "application/json"]);
      expect(await misspelt.body.json())
        .to.have.property("detail")
        .that.includes("v1, v2, v3");
      const dealt = await Promise.all(USERS.slice(0, 600).map(async () => (await request(origin)).body.text()));
      expect(dealt.filter((version) => version === "v1").length / dealt.length).to.be.closeTo(0.8, 0.07);
    }
  });

  it("report alike on their status ports", async () => {
    const { clusters, routes } = trafficConfig({ split: EIGHTY_TWENTY, pods: pods() });
    const [byEnvoy, byLocal] = [await envoyStatus(), await localStatus()];
    expect(byEnvoy).to.deep.include({ ready: true, clustersVersion: clusters.version, routesHash: routes.hash });
    expect(Object.fromEntries(byEnvoy.healthyHosts)).to.deep.equal({ "v1-a": 1, "v2-a": 1, "v3-a": 1 });
    expect(Object.fromEntries(byLocal.healthyHosts)).to.deep.equal(Object.fromEntries(byEnvoy.healthyHosts));
  });

  it("take the clusters of a revision that is not healthy, and report it healthy soon after it is", async () => {
    const loading = await anotherBackend("v1");
    loading.health = 503;
    const traffic = { split: EIGHTY_TWENTY, pods: { ...pods(), "v1-b": [loading] } };
    const { clusters } = await folders.envoy.writeTraffic(traffic);
    await folders.local.writeTraffic(traffic);
    const statuses = () => Promise.all([envoyStatus(), localStatus()]);
    const haveClusters = async () =>
      (await statuses()).every(({ clustersVersion }) => clustersVersion === clusters.version);
    await eventually("both have the clusters", haveClusters);
    const healthy = async () => (await statuses()).map(({ healthyHosts }) => healthyHosts.get("v1-b") ?? 0);
    expect(await healthy()).to.deep.equal([0, 0]);
    loading.health = 200;
    await eventually("both call it healthy", async () => (await healthy()).every((count) => count === 1), 5_000);
  });

  it("let nobody change anything through Envoy's status port", async () => {
    for (const path of [
      "/quitquitquit",
      "/healthcheck/fail",
      "/drain_listeners",
      "/logging?level=trace",
      "/reset_counters",
    ]) {
      for (const method of ["GET", "POST"] as const) {
        const { statusCode, body } = await request(`http://127.0.0.1:${ports.status}${path}`, { method });
        await body.dump();
        expect(statusCode, `${method} ${path}`).to.equal(404);
      }
    }
    for (const path of ["/ready", "/stats", "/clusters", "/routes", "/%71uitquitquit", "/ready/../quitquitquit"]) {
      const { statusCode, body } = await request(`http://127.0.0.1:${ports.status}${path}`, { method: "POST" });
      await body.dump();
      expect(statusCode, `POST ${path}`).to.be.within(400, 404);
    }
    expect((await envoyStatus()).ready).to.be.true;
  });

  it("take new addresses under an unchanged clusters version", async () => {
    const second = await anotherBackend("v1");
    await shiftTo({ split: EIGHTY_TWENTY, pods: { ...pods(), "v1-a": [backends.v1, second] } });
    await shiftTo({ split: EIGHTY_TWENTY, pods: { ...pods(), "v1-a": [second] } });
    const { body } = await request(envoyOrigin(), { headers: { [VERSION_HEADER]: "v1" } });
    await body.dump();
    expect(second.lastHeaders).to.have.property("x-forwarded-for");
    await shiftTo({ split: EIGHTY_TWENTY, pods: pods() });
  });

  for (const [name, port] of [
    ["Envoy", () => ports.traffic],
    ["the local router", () => router.traffic.port],
  ] as const) {
    it(`lose no request while the split changes and a revision is replaced: ${name}`, async () => {
      const v1b = await anotherBackend("v1");
      const all = { ...pods(), "v1-b": [v1b] };
      const replaced = rebalance(SIXTY_FORTY, shares({ "v1-b": 60, "v2-a": 40 }), new Map([["v1-a", "v1-b"]])).split;
      const { sent, failures } = await underLoad(port(), async () => {
        await shiftTo({ split: SIXTY_FORTY, pods: pods() });
        await shiftTo({ split: SIXTY_FORTY, pods: all });
        await shiftTo({ split: replaced, pods: all });
        await shiftTo({ split: replaced, pods: { "v1-b": [v1b], "v2-a": [backends.v2] } });
      });
      await shiftTo({ split: replaced, pods: all });
      await shiftTo({ split: EIGHTY_TWENTY, pods: all });
      expect(failures.slice(0, 20)).to.be.empty;
      expect(sent).to.be.above(100);
    });

    it(`fail at most what was under way when one of two pods is killed: ${name}`, async () => {
      const status = port() === ports.traffic ? envoyStatus : localStatus;
      const doomed = await anotherBackend("v1");
      await shiftTo({ split: EIGHTY_TWENTY, pods: { ...pods(), "v1-a": [backends.v1, doomed] } });
      const { failures } = await underLoad(port(), async () => {
        await doomed.stop();
        await eventually("the dead pod is out", async () => (await status()).healthyHosts.get("v1-a") === 1);
      });
      expect(failures.length, failures.slice(0, 20).join("\n")).to.be.at.most(CONNECTIONS);
    });
  }

  it("ask another pod, at once, when one refuses the connection", async () => {
    for (const [port, status] of [
      [ports.traffic, envoyStatus],
      [router.traffic.port, localStatus],
    ] as const) {
      const doomed = await anotherBackend("v1");
      await shiftTo({ split: EIGHTY_TWENTY, pods: { ...pods(), "v1-a": [backends.v1, doomed] } });
      await doomed.stop();
      expect((await status()).healthyHosts.get("v1-a"), "no health check has noticed yet").to.equal(2);
      for (let i = 0; i < 10; i++) {
        const pinned = { method: "POST", headers: { [VERSION_HEADER]: "v1" }, body: `${i}` } as const;
        const { statusCode, body } = await request(`http://127.0.0.1:${port}`, pinned);
        expect([statusCode, await body.text()]).to.deep.equal([200, "v1"]);
      }
    }
  });

  it("let clients go within the preStop sleep: every connection in use is told to close", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const started = performance.now();
    const closing = async () => {
      const sent = get(envoyOrigin(), { agent });
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      answer.resume();
      await once(answer, "end");
      return answer.headers.connection === "close";
    };
    await eventually("an answer says close", closing, 15_000);
    expect(performance.now() - started).to.be.within(8_000, 13_000);
    agent.destroy();
  });

  it("keep the last good routes when new ones are broken", async () => {
    const { routesHash } = await envoyStatus();
    for (const [folder, status] of [
      [folders.envoy, envoyStatus],
      [folders.local, localStatus],
    ] as const) {
      const config = trafficConfig({ split: SIXTY_FORTY, pods: pods() });
      await folder.write({
        ...config.data,
        "routes.yaml": config.data["routes.yaml"]!.replace("weight: 6000", "weight: lots"),
      });
      await versionsMet(ports.traffic, USERS.slice(0, 500));
      expect((await status()).routesHash).to.equal(routesHash);
    }
    await eventually("Envoy says so", () => envoy.log().includes("lots"));
  });
});
