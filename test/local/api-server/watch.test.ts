import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { call, mergePatch, watched } from "./api-call.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

describe("a watch", () => {
  let server: ApiServer;
  const create = async (name: string, labels = {}): Promise<void> => {
    await call(server.url, "POST", configMaps, { body: { metadata: { name, labels } } });
  };
  const version = async (): Promise<string> => {
    const { body } = await call(server.url, "GET", configMaps);
    return (body["metadata"] as { resourceVersion: string }).resourceVersion;
  };
  const summary = (events: Record<string, unknown>[]): string[] =>
    events.map(({ type, object }) =>
      `${String(type)} ${(object as { metadata: { name?: string } }).metadata.name ?? ""}`.trim(),
    );

  beforeEach(async () => {
    server = await startApiServer();
  });
  afterEach(() => server.close());

  it("shows every change after the version that it starts from", async () => {
    await create("a");
    const from = await version();
    const events = await watched(server.url, `${configMaps}?watch=true&resourceVersion=${from}`, 3, async () => {
      await create("b");
      await call(server.url, "PATCH", `${configMaps}/b`, { body: { data: { x: "1" } }, type: mergePatch });
      await call(server.url, "DELETE", `${configMaps}/b`);
    });
    expect(summary(events)).to.deep.equal(["ADDED b", "MODIFIED b", "DELETED b"]);
  });

  it("replays what happened between the list and the watch", async () => {
    const from = await version();
    await create("between");
    expect(summary(await watched(server.url, `${configMaps}?watch=true&resourceVersion=${from}`, 1))).to.deep.equal([
      "ADDED between",
    ]);
  });

  it("shows an object that leaves its selection as deleted and one that enters it as added", async () => {
    await create("a", { in: "yes" });
    const from = await version();
    const relabel = (value: string): Promise<unknown> =>
      call(server.url, "PATCH", `${configMaps}/a`, { body: { metadata: { labels: { in: value } } }, type: mergePatch });
    const events = await watched(
      server.url,
      `${configMaps}?watch=true&labelSelector=in=yes&resourceVersion=${from}`,
      2,
      async () => {
        await relabel("no");
        await relabel("yes");
      },
    );
    expect(summary(events)).to.deep.equal(["DELETED a", "ADDED a"]);
  });

  it("sends what there is and then says so when asked for initial events", async () => {
    await create("a");
    const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const events = await watched(server.url, `${configMaps}?${query}`, 2);
    expect(summary(events)).to.deep.equal(["ADDED a", "BOOKMARK"]);
    expect(events[1])
      .to.have.nested.property("object.metadata.annotations")
      .that.deep.equals({ "k8s.io/initial-events-end": "true" });
  });

  it("ends after its timeout", async () => {
    expect(
      await watched(server.url, `${configMaps}?watch=true&timeoutSeconds=1&resourceVersion=${await version()}`, 1),
    ).to.deep.equal([]);
  });

  it("is refused as expired when its version is older than what is remembered, or of another run", async () => {
    const from = await version();
    await create("busy");
    for (let change = 0; change < 1001; change++) {
      await call(server.url, "PATCH", `${configMaps}/busy`, {
        body: { data: { change: String(change) } },
        type: mergePatch,
      });
    }
    for (const stale of [from, "1", String(Number(await version()) + 1000)]) {
      const { code, body } = await call(server.url, "GET", `${configMaps}?watch=true&resourceVersion=${stale}`);
      expect({ code, reason: body["reason"] }).to.deep.equal({ code: 410, reason: "Expired" });
    }
  });
});
