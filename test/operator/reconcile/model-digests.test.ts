import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { readModelDigest } from "../../../operator/reconcile/model-digest-reader.ts";
import { ModelDigests } from "../../../operator/reconcile/model-digests.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { containerStatus } from "../../support/operator/pods.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const key = { namespace: "credit", name: "loan" };
const DIGEST = "a".repeat(64);

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

function stage(read: (address: string) => Promise<string | undefined>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  let learned = 0;
  const digests = new ModelDigests({
    read: async (address) => {
      asked.push(address);
      return read(address);
    },
    onLearned: () => (learned += 1),
    clock,
    log: quiet,
  });
  return { clock, asked, digests, learned: () => learned };
}

describe("ModelDigests", () => {
  it("asks each ready pod once, beside the reconcile, and has it look again", async () => {
    const { digests, asked, learned } = stage(async () => DIGEST);
    const pods = [pod("a"), pod("b"), pod("c", 0, false)];
    expect(digests.of(key, pods).size).to.equal(0);
    await eventually(() => expect(learned()).to.equal(2));
    expect([...digests.of(key, pods)]).to.deep.equal([
      ["a", DIGEST],
      ["b", DIGEST],
    ]);
    expect(asked).to.deep.equal(["a", "b"]);
  });

  it("asks again after the container has started again, since it loads again", async () => {
    const { digests, asked, learned } = stage(async () => DIGEST);
    digests.of(key, [pod("a")]);
    await eventually(() => expect(learned()).to.equal(1));
    expect(digests.of(key, [pod("a", 1)]).size).to.equal(0);
    await eventually(() => expect(learned()).to.equal(2));
    expect(asked).to.have.length(2);
  });

  it("gives up on a pod that does not tell, after a few times and not at once", async () => {
    const { digests, asked, clock } = stage(async () => Promise.reject(new Error("no route")));
    for (let pass = 0; pass < 6; pass += 1) {
      digests.of(key, [pod("a")]);
      digests.of(key, [pod("a")]);
      await clock.advance(31_000);
    }
    expect(asked).to.have.length(3);
  });

  it("asks few pods at a time", async () => {
    let running = 0;
    let most = 0;
    const { digests, learned } = stage(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return DIGEST;
    });
    digests.of(
      key,
      Array.from({ length: 50 }, (_, index) => pod(`pod-${index}`)),
    );
    await eventually(() => expect(learned()).to.equal(50));
    expect(most).to.equal(8);
  });
});

describe("readModelDigest", () => {
  for (const [title, status, body, digest] of [
    ["the digest of the runtime's own answer", 200, JSON.stringify({ sha256: DIGEST, model_name: "loan" }), DIGEST],
    ["nothing of a server without /model/info", 404, '{"detail":"Not Found"}', undefined],
    ["nothing of an answer without a digest", 200, '{"sha256":"latest"}', undefined],
  ] as const)
    it(`reads ${title}`, async () => {
      const server = createServer((_request, response) =>
        response.writeHead(status, { connection: "close" }).end(body),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const { port } = server.address() as AddressInfo;
        expect(await readModelDigest("127.0.0.1", AbortSignal.timeout(5_000), port)).to.equal(digest);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
});
