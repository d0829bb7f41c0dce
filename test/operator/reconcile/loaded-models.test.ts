import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { readLoadedModel } from "../../../operator/reconcile/loaded-model-reader.ts";
import { LoadedModels } from "../../../operator/reconcile/loaded-models.ts";
import type { LoadedModel } from "../../../operator/plan/observed.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { containerStatus } from "../../support/operator/pods.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const key = { namespace: "credit", name: "loan" };
const sha256 = "a".repeat(64);
const features = [{ name: "age", type: "number", nullable: false }];
const MODEL: LoadedModel = { sha256, features };

function pod(uid: string, restartCount = 0, isReady = true): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: uid, namespace: "credit", uid, resourceVersion: "1" },
    status: {
      podIP: uid,
      conditions: [{ type: "Ready", status: isReady ? "True" : "False" }],
      containerStatuses: [containerStatus("runtime", { restartCount })],
    },
  };
}

function stage(read: (address: string) => Promise<LoadedModel>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  let learned = 0;
  const models = new LoadedModels({
    read: async (address) => {
      asked.push(address);
      return read(address);
    },
    onLearned: () => (learned += 1),
    clock,
    log: quiet,
  });
  return { clock, asked, models, learned: () => learned };
}

describe("LoadedModels", () => {
  it("asks each ready pod once, beside the reconcile, and has it look again", async () => {
    const { models, asked, learned } = stage(async () => ({ ...MODEL }));
    const pods = [pod("a"), pod("b"), pod("c", 0, false)];
    expect(models.of(key, pods).size).to.equal(0);
    await eventually(() => expect(learned()).to.equal(2));
    expect([...models.of(key, pods)]).to.deep.equal([
      ["a", MODEL],
      ["b", MODEL],
    ]);
    expect(asked).to.deep.equal(["a", "b"]);
  });

  it("asks again after the container has started again, since it loads again", async () => {
    const { models, asked, learned } = stage(async () => ({ ...MODEL }));
    models.of(key, [pod("a")]);
    await eventually(() => expect(learned()).to.equal(1));
    expect(models.of(key, [pod("a", 1)]).size).to.equal(0);
    await eventually(() => expect(learned()).to.equal(2));
    expect(asked).to.have.length(2);
  });

  it("takes a pod that did not answer a few times for one that does not know, asks it ever more rarely, and gives up", async () => {
    const { models, asked, clock } = stage(async () => Promise.reject(new Error("no route")));
    const pass = async (ms: number) => {
      const known = [...models.of(key, [pod("a")])];
      models.of(key, [pod("a")]);
      await clock.advance(ms);
      return known;
    };
    for (let seconds = 0; seconds < 3; seconds += 1) expect(await pass(1_000)).to.deep.equal([]);
    expect(await pass(1_000)).to.deep.equal([["a", {}]]);
    expect(asked).to.have.length(3);
    for (let passes = 0; passes < 6; passes += 1) await pass(31_000);
    expect(asked).to.have.length(5);
  });

  it("keeps once what many pods say alike", async () => {
    const { models, learned } = stage(async () => structuredClone(MODEL));
    const pods = [pod("a"), pod("b")];
    models.of(key, pods);
    await eventually(() => expect(learned()).to.equal(2));
    const [first, second] = [...models.of(key, pods).values()];
    expect(first).to.equal(second);
  });

  it("asks few pods at a time", async () => {
    let running = 0;
    let most = 0;
    const { models, learned } = stage(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return MODEL;
    });
    models.of(
      key,
      Array.from({ length: 50 }, (_, index) => pod(`pod-${index}`)),
    );
    await eventually(() => expect(learned()).to.equal(50));
    expect(most).to.equal(8);
  });
});

describe("readLoadedModel", () => {
  for (const [title, status, body, model] of [
    ["digest and features of the runtime's own answer", 200, { sha256, features, model_name: "loan" }, MODEL],
    ["no features of a model whose inputs have no names for them", 200, { sha256, features: null }, { sha256 }],
    ["nothing of a server without /model/info", 404, { detail: "Not Found" }, {}],
    ["nothing of what others mean by the same words", 200, { sha256: "latest", features: ["age"] }, {}],
  ] as const)
    it(`reads ${title}`, async () => {
      const server = createServer((_request, response) =>
        response.writeHead(status, { connection: "close" }).end(JSON.stringify(body)),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const { port } = server.address() as AddressInfo;
        expect(await readLoadedModel("127.0.0.1", AbortSignal.timeout(5_000), port)).to.deep.equal(model);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
});
