import { expect } from "chai";
import type { RequestListener } from "node:http";
import { pino } from "pino";
import { request } from "undici";
import { startRouter, type Router } from "../../../local/router/router.ts";
import { readRouterStatus } from "../../../operator/reconcile/router-status.ts";
import { createBucketer, type Bucketer } from "../../../operator/traffic/bucket.ts";
import { VERSION_HEADER } from "../../../operator/traffic/envoy-routes.ts";
import { rebalance, revisionAt, splitOf, type Split } from "../../../operator/traffic/intervals.ts";
import { startBackend, type Backend } from "./backend.ts";
import { eventually } from "./condition.ts";
import { ConfigFolder, SALT, trafficConfig, type Traffic } from "./config-folder.ts";
import { CONNECTIONS, shareOf, underLoad, USERS, versionsMet } from "./users.ts";

const EIGHTY_TWENTY = splitOf(
  new Map([
    ["v1-a", 80],
    ["v2-a", 20],
  ]),
);
const SIXTY_FORTY = rebalance(
  EIGHTY_TWENTY,
  new Map([
    ["v1-a", 60],
    ["v2-a", 40],
  ]),
).split;

/** Four standard deviations of a share of 5,000 users. */
const SAMPLING_ERROR = 4 * Math.sqrt((0.8 * 0.2) / USERS.length);

describe("the local router", function () {
  this.timeout(60_000); // thousands of requests, on machines that do other things as well

  let backends: { v1: Backend; v2: Backend };
  let folder: ConfigFolder;
  let router: Router;
  let log: string[];
  let bucket: Bucketer;
  let others: Backend[];

  const anotherBackend = async (name: string) => {
    const backend = await startBackend(name);
    others.push(backend);
    return backend;
  };
  const pods = (): Traffic["pods"] => ({ "v1-a": [backends.v1], "v2-a": [backends.v2] });
  const origin = () => `http://127.0.0.1:${router.traffic.port}`;
  const status = () => readRouterStatus({ address: "127.0.0.1", port: router.status.port });
  const modelSays = (split: Split) =>
    new Map(USERS.map((user) => [user, revisionAt(split, bucket(SALT, user)).slice(0, 2)]));

  const shiftTo = async (traffic: Traffic) => {
    const { clusters, routes } = await folder.writeTraffic(traffic);
    await eventually("the router has the new config", async () => {
      const { clustersVersion, routesHash } = await status();
      return clustersVersion === clusters.version && routesHash === routes.hash;
    });
  };

  before(async () => {
    bucket = await createBucketer();
  });

  beforeEach(async () => {
    backends = { v1: await startBackend("v1"), v2: await startBackend("v2") };
    folder = await ConfigFolder.create();
    await folder.writeTraffic({ split: EIGHTY_TWENTY, pods: pods() });
    log = [];
    others = [];
    const logger = pino({ base: null, timestamp: false }, { write: (line) => void log.push(line) });
    router = await startRouter({ bootstrapFile: folder.bootstrapFile, logger, random: Math.random });
  });

  afterEach(async () => {
    await router.stop(0);
    await Promise.all([backends.v1, backends.v2, ...others].map((backend) => backend.stop()));
    await folder.remove();
  });

  describe("dealing users to versions", () => {
    it("splits 5,000 users 80 to 20 within sampling error, each as the model says", async () => {
      const met = await versionsMet(router.traffic.port);
      expect(shareOf("v1", met)).to.be.closeTo(0.8, SAMPLING_ERROR);
      expect(met).to.deep.equal(modelSays(EIGHTY_TWENTY));
    });

    it("gives a user the same version every time", async () => {
      const once = await versionsMet(router.traffic.port, USERS.slice(0, 500));
      expect(await versionsMet(router.traffic.port, USERS.slice(0, 500))).to.deep.equal(once);
    });

    it("moves only users of v1 to v2 when the split goes to 60 to 40", async () => {
      const before = modelSays(EIGHTY_TWENTY); // which the first test of this group checks
      await shiftTo({ split: SIXTY_FORTY, pods: pods() });
      const after = await versionsMet(router.traffic.port);
      const moved = USERS.filter((user) => before.get(user) !== after.get(user));
      expect(moved.map((user) => `${before.get(user)} to ${after.get(user)}`))
        .to.include("v1 to v2")
        .and.not.include("v2 to v1");
      expect(moved.length / USERS.length).to.be.closeTo(0.2, SAMPLING_ERROR);
      expect(after).to.deep.equal(modelSays(SIXTY_FORTY));
    });

    it("deals requests that name no user at random, in the same shares", async () => {
      const answers = await Promise.all(USERS.slice(0, 1_000).map(async () => (await request(origin())).body.text()));
      const share = answers.filter((answer) => answer === "v1").length / answers.length;
      expect(share).to.be.closeTo(0.8, 4 * Math.sqrt((0.8 * 0.2) / answers.length));
    });

    it("names the version that answered, whatever the version says itself", async () => {
      const { headers, body } = await request(origin(), { headers: { "x-user-id": "user-1" } });
      expect(headers[VERSION_HEADER]).to.equal(await body.text());
    });

    it("lets a request pin a version", async () => {
      for (const version of ["v1", "v2"]) {
        const { body } = await request(origin(), { headers: { [VERSION_HEADER]: version } });
        expect(await body.text()).to.equal(version);
      }
    });

    it("answers 404 to a pin of a version that does not exist", async () => {
      const { statusCode, body } = await request(origin(), { headers: { [VERSION_HEADER]: "v9" } });
      expect(statusCode).to.equal(404);
      expect(await body.json()).to.deep.equal({
        detail: "x-slipway-version names no version of this model; there are: v1, v2",
      });
    });
  });

  describe("forwarding", () => {
    const answering = async (answer: RequestListener) => {
      await backends.v1.stop();
      backends.v1 = await startBackend("v1", answer);
      await shiftTo({ split: splitOf(new Map([["v1-a", 100]])), pods: { "v1-a": [backends.v1] } });
    };

    it("streams a large body up and down unchanged", async () => {
      await answering((req, res) => void req.pipe(res));
      const sent = Buffer.alloc(5 * 1024 * 1024, "slipway");
      const { body } = await request(origin(), { method: "POST", body: sent });
      expect(Buffer.from(await body.arrayBuffer()).equals(sent)).to.be.true;
    });

    it("passes on the start of an answer before its end exists", async () => {
      let finish = () => {};
      await answering((_, res) => {
        res.write("first");
        finish = () => res.end(" last");
      });
      const { body } = await request(origin());
      const chunks = body[Symbol.asyncIterator]();
      expect(String((await chunks.next()).value)).to.equal("first");
      finish();
      expect(String((await chunks.next()).value)).to.equal(" last");
    });

    it("tells the pod who asked, and keeps to itself what concerns one connection", async () => {
      await request(origin(), {
        headers: { [VERSION_HEADER]: "v1", "x-forwarded-for": "203.0.113.7", te: "trailers", "x-request-id": "r-1" },
      });
      const headers = backends.v1.lastHeaders;
      expect(headers["x-forwarded-for"]).to.equal("203.0.113.7, 127.0.0.1");
      expect(headers["x-request-id"]).to.equal("r-1");
      expect(headers).to.not.have.property("te");
    });

    it("keeps every value of a repeated answer header", async () => {
      await answering((_, res) => void res.writeHead(200, { "set-cookie": ["a=1", "b=2"] }).end());
      const { headers } = await request(origin());
      expect(headers["set-cookie"]).to.deep.equal(["a=1", "b=2"]);
    });

    it("ends the client's connection when a pod breaks off in the middle of an answer", async () => {
      await answering((_, res) => {
        res.writeHead(200, { "content-length": 100 }).write("half");
        setImmediate(() => res.destroy());
      });
      const { body } = await request(origin());
      const outcome = await body.text().then(
        () => "complete",
        () => "broken off",
      );
      expect(outcome).to.equal("broken off");
    });
  });

  describe("changing under load", () => {
    it("loses no request while the split changes and a revision is replaced", async () => {
      const v1b = await anotherBackend("v1");
      const { sent, failures } = await underLoad(router.traffic.port, async () => {
        await shiftTo({ split: SIXTY_FORTY, pods: pods() });
        const all = { ...pods(), "v1-b": [v1b] };
        await folder.writeTraffic({ split: SIXTY_FORTY, pods: all });
        await eventually("v1-b is healthy", async () => (await status()).healthyHosts.get("v1-b") === 1);
        const { split } = rebalance(
          SIXTY_FORTY,
          new Map([
            ["v1-b", 60],
            ["v2-a", 40],
          ]),
          new Map([["v1-a", "v1-b"]]),
        );
        await shiftTo({ split, pods: all });
        await shiftTo({ split, pods: { "v1-b": [v1b], "v2-a": [backends.v2] } });
      });
      expect(failures).to.be.empty;
      expect(sent).to.be.above(100);
    });

    it("fails at most what was under way when one of two pods is killed", async () => {
      const second = await anotherBackend("v1");
      await shiftTo({ split: EIGHTY_TWENTY, pods: { "v1-a": [backends.v1, second], "v2-a": [backends.v2] } });
      await eventually("both are healthy", async () => (await status()).healthyHosts.get("v1-a") === 2);
      const { failures } = await underLoad(router.traffic.port, async () => {
        await second.stop();
        await eventually("the dead pod is out", async () => (await status()).healthyHosts.get("v1-a") === 1);
        await versionsMet(router.traffic.port, USERS.slice(0, 500));
      });
      expect(failures.length, failures.slice(0, 20).join("\n")).to.be.at.most(CONNECTIONS);
    });

    it("still asks a draining pod when no other is healthy", async () => {
      backends.v2.health = 503;
      await eventually("v2 is unhealthy", async () => (await status()).healthyHosts.get("v2-a") === 0);
      const { body } = await request(origin(), { headers: { [VERSION_HEADER]: "v2" } });
      expect(await body.text()).to.equal("v2");
    });

    it("says 503 and which version was meant when nobody answers", async () => {
      await backends.v2.stop();
      const { statusCode, headers } = await request(origin(), { headers: { [VERSION_HEADER]: "v2" } });
      expect([statusCode, headers[VERSION_HEADER]]).to.deep.equal([503, "v2"]);
    });
  });

  describe("given a config that it cannot take", () => {
    const write = (change: { routes?: (text: string) => string; clusters?: (text: string) => string }) => {
      const { data } = trafficConfig({ split: SIXTY_FORTY, pods: pods() });
      return folder.write({
        "envoy.yaml": "",
        "clusters.yaml": change.clusters?.(data["clusters.yaml"]!) ?? data["clusters.yaml"]!,
        "routes.yaml": change.routes?.(data["routes.yaml"]!) ?? data["routes.yaml"]!,
      });
    };
    const refused = (file: string) => log.find((line) => line.includes("config refused") && line.includes(file));

    for (const [title, change] of [
      ["torn YAML", (text: string) => `${text.slice(0, 300)}\n  - {`],
      ["an unknown construct", (text: string) => text.replace("use_hash_policy: true", "header_name: x-weight")],
      ["a value that Envoy would substitute", (text: string) => text.replaceAll("value: v1", "value: '%HOSTNAME%'")],
      ["an unknown regex", (text: string) => text.replace("regex: ^", "regex: ^.*$")],
    ] as const) {
      it(`keeps the last good routes and says so: ${title}`, async () => {
        const { routesHash } = await status();
        await write({ routes: change });
        await eventually("it was refused", () => refused("routes.yaml") !== undefined);
        expect((await status()).routesHash).to.equal(routesHash);
        expect(await versionsMet(router.traffic.port, USERS.slice(0, 200))).to.deep.equal(
          new Map([...modelSays(EIGHTY_TWENTY)].slice(0, 200)),
        );
      });
    }

    it("keeps the last good clusters when an address is still a DNS name", async () => {
      const { clustersVersion } = await status();
      await write({});
      await eventually("it was refused", () => refused("clusters.yaml") !== undefined);
      expect(refused("clusters.yaml")).to.include("must be STATIC");
      expect((await status()).clustersVersion).to.equal(clustersVersion);
    });
  });

  describe("its status port", () => {
    it("reports readiness, clusters, routes and healthy pods as Envoy does", async () => {
      const { clusters, routes } = trafficConfig({ split: EIGHTY_TWENTY, pods: pods() });
      expect(await status()).to.deep.equal({
        ready: true,
        clustersVersion: clusters.version,
        routesHash: routes.hash,
        healthyHosts: new Map([
          ["v1-a", 1],
          ["v2-a", 1],
        ]),
      });
    });

    it("calls a pod healthy for gRPC, which it does not carry, when its port takes connections", async () => {
      const grpc = await anotherBackend("grpc");
      await shiftTo({ split: EIGHTY_TWENTY, pods: pods(), grpc: { "v2-a": [grpc] } });
      const healthy = async () => (await status()).healthyHosts.get("v2-a_grpc");
      await eventually("it is healthy", async () => (await healthy()) === 1);
      const { body } = await request(origin(), { headers: { [VERSION_HEADER]: "v2" } });
      expect(await body.text()).to.equal("v2");
      await grpc.stop();
      await eventually("it is not", async () => (await healthy()) === 0);
    });

    it("is closed to everything else", async () => {
      const statusOf = async (method: "GET" | "POST", path: string) =>
        (await request(`http://127.0.0.1:${router.status.port}${path}`, { method })).statusCode;
      expect(await statusOf("POST", "/ready")).to.equal(404);
      expect(await statusOf("POST", "/quitquitquit")).to.equal(404);
      expect(await statusOf("GET", "/quitquitquit")).to.equal(404);
      expect(await statusOf("GET", "/config_dump")).to.equal(404);
    });
  });
});
