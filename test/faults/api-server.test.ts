import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { change, endOfChange, given, NAME } from "./support/change.ts";
import { endState, expectSameState, settled } from "./support/end-state.ts";
import { FaultProxy, isObjectWrite } from "./support/fault-proxy.ts";
import type { Fault, ProxiedRequest } from "./support/fault-proxy.ts";
import { Lanes } from "./support/lanes.ts";
import { isLongForm } from "./support/forms.ts";
import { FaultCluster, kubeconfigText } from "./support/site.ts";

type FaultFor = FaultProxy["faultFor"];

const any = (): boolean => true;
const isWatch = ({ query }: ProxiedRequest): boolean => query.get("watch") === "true";
const isRead = ({ method, query }: ProxiedRequest): boolean => method === "GET" && query.get("watch") !== "true";
const isWrite = isObjectWrite;

/** The first `times` requests of each kind and path that match. */
function first(times: number, matches: (request: ProxiedRequest) => boolean, fault: Fault): FaultFor {
  const seen = new Map<string, number>();
  return (request) => {
    if (!matches(request)) return undefined;
    const key = `${request.method} ${request.path} ${request.query.get("watch")}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count <= times ? fault : undefined;
  };
}

/** Every n-th request that matches, for ever. */
function every(nth: number, matches: (request: ProxiedRequest) => boolean, fault: Fault): FaultFor {
  let count = 0;
  return (request) => (matches(request) && ++count % nth === 0 ? fault : undefined);
}

const FAULTS: readonly (readonly [title: string, faultFor: () => FaultFor])[] = [
  ["answers writes 409", () => first(2, isWrite, { kind: "answer", status: 409, reason: "Conflict" })],
  ["answers every other write 409", () => every(2, isWrite, { kind: "answer", status: 409, reason: "Conflict" })],
  [
    "answers reads and watches 410",
    () => first(2, (r) => isRead(r) || isWatch(r), { kind: "answer", status: 410, reason: "Expired" }),
  ],
  ["says 410 within watches", () => first(3, isWatch, { kind: "expire" })],
  [
    "answers 429 with Retry-After",
    () => first(1, any, { kind: "answer", status: 429, reason: "TooManyRequests", retryAfterSeconds: 1 }),
  ],
  ["answers 500", () => first(2, any, { kind: "answer", status: 500, reason: "InternalError" })],
  ["answers 503", () => first(2, any, { kind: "answer", status: 503, reason: "ServiceUnavailable" })],
  [
    "answers one request in three 500, for ever",
    () => every(3, any, { kind: "answer", status: 500, reason: "InternalError" }),
  ],
  ["breaks connections", () => first(2, any, { kind: "reset" })],
  ["carries writes out and loses the answers", () => first(1, isWrite, { kind: "loseAnswer" })],
  ["carries every other write out and loses its answer", () => every(2, isWrite, { kind: "loseAnswer" })],
  ["cuts watches in the middle of a line", () => first(3, isWatch, { kind: "cut", afterLines: 1 })],
  ["tells of every change three seconds late", () => every(1, isWatch, { kind: "lag", ms: 3_000 })],
  ["does not answer a write, a read and a watch", () => once([isWrite, isRead, isWatch], { kind: "hang" })],
];

/** One request of each sort: the request has its own deadline of half a minute. */
function once(sorts: readonly ((request: ProxiedRequest) => boolean)[], fault: Fault): FaultFor {
  const left = new Set(sorts);
  return (request) => {
    const sort = [...left].find((matches) => matches(request));
    if (sort !== undefined) left.delete(sort);
    return sort === undefined ? undefined : fault;
  };
}

describe("an operator whose API server", function () {
  this.timeout(300_000);
  const lanes = new Lanes(4);
  let cluster: FaultCluster;
  let undisturbed: Promise<unknown>;
  /** Started together, since most of them wait most of the time. */
  const runs = new Map<string, Promise<unknown>>();

  before(async () => {
    cluster = await FaultCluster.start();
    undisturbed = run(() => undefined);
    await undisturbed;
    for (const [title, faultFor] of FAULTS) {
      const outcome = lanes.run(() => run(faultFor()));
      outcome.catch(() => {}); // told by the test of that title
      runs.set(title, outcome);
    }
  });
  after(async () => {
    await Promise.allSettled(runs.values());
    await cluster?.[Symbol.asyncDispose]();
  });

  for (const [title] of FAULTS)
    it(`${title} comes to the same end`, async () => {
      expectSameState(await runs.get(title), await undisturbed);
    });

  it("restarts in the middle of a change comes to the same end", async () => {
    await expectSameEndAfter(0);
  });

  it(`is gone in the middle of a change for ${isLongForm ? "two minutes" : "20 seconds"} comes to the same end`, async () => {
    await expectSameEndAfter(isLongForm ? 120_000 : 20_000);
  });

  it("asks for another token from now on goes on with the one that its file then holds", async () => {
    await using secured = await startSecured();
    const { site, proxy, tokenFile } = secured;
    await writeFile(tokenFile, "second\n");
    await proxy.down();
    await proxy.up({ tls: await certificate("one"), token: "second" });
    await site.fixture.apply(NAME, change);
    await settled(site, NAME);
  });

  it("has a certificate of another authority from now on goes on with the one that its file then holds", async () => {
    await using secured = await startSecured();
    const { site, proxy, authorityFile } = secured;
    await writeFile(authorityFile, await readFile("test/operator/kube/certificates/two.crt"));
    await proxy.down();
    await proxy.up({ tls: await certificate("two"), token: "first" });
    await site.fixture.apply(NAME, change);
    await settled(site, NAME);
  });

  /** The object created and changed, all of it under the fault; the end that it comes to. */
  async function run(faultFor: FaultFor): Promise<unknown> {
    await using site = await cluster.site();
    site.proxy.faultFor = faultFor;
    site.startOperator();
    await site.fixture.apply(NAME, given);
    await settled(site, NAME, 150_000);
    await site.fixture.apply(NAME, change);
    return endState(site.fixture, await settled(site, NAME, 150_000));
  }

  async function expectSameEndAfter(awayMs: number): Promise<void> {
    const end = await endOfChange(cluster, async ({ proxy }) => {
      await proxy.down();
      await sleep(awayMs);
      await proxy.up();
    });
    expectSameState(end, await undisturbed);
  }

  async function startSecured() {
    const site = await cluster.site();
    const proxy = await FaultProxy.start(cluster.cluster.kubeConfig, { tls: await certificate("one"), token: "first" });
    const [tokenFile, authorityFile, kubeconfig] = ["token", "ca.crt", "secured"].map((name) =>
      join(site.folder, name),
    ) as [string, string, string];
    await writeFile(tokenFile, "first\n");
    await writeFile(authorityFile, await readFile("test/operator/kube/certificates/one.crt"));
    const asInPods = { "auth-provider": { name: "tokenFile", config: { tokenFile } } };
    await writeFile(kubeconfig, kubeconfigText(proxy.url, { "certificate-authority": authorityFile }, asInPods));
    site.startOperator([], kubeconfig);
    await site.fixture.apply(NAME, given);
    await settled(site, NAME);
    return {
      site,
      proxy,
      tokenFile,
      authorityFile,
      async [Symbol.asyncDispose]() {
        await site[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }
});

async function certificate(name: "one" | "two"): Promise<{ key: Buffer; cert: Buffer }> {
  const [key, cert] = await Promise.all(
    (["key", "crt"] as const).map((kind) => readFile(`test/operator/kube/certificates/${name}.${kind}`)),
  );
  return { key: key!, cert: cert! };
}
