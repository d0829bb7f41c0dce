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

  const forgetThePast = async (): Promise<void> => {
    await create("busy");
    for (let change = 0; change < 1001; change++) {
      await call(server.url, "PATCH", `${configMaps}/busy`, {
        body: { data: { change: String(change) } },
        type: mergePatch,
      });
    }
  };

  it("is refused as expired when its version is older than what is remembered, or of another run", async () => {
    const from = await version();
    await forgetThePast();
    for (const stale of [from, "1", String(Number(await version()) + 1000)]) {
      const { code, body } = await call(server.url, "GET", `${configMaps}?watch=true&resourceVersion=${stale}`);
      const { type, object } = body as { type: string; object: { code: number; reason: string } };
      expect([code, type, object.code, object.reason]).to.deep.equal([200, "ERROR", 410, "Expired"]);
    }
  });

  it("a list whose version is forgotten is refused as expired, and its next pages with a token for what there is now", async () => {
    for (const name of ["list-a", "list-b", "list-c"]) await create(name, { list: "yes" });
    const pages = `${configMaps}?labelSelector=list&limit=1`;
    const first = await call(server.url, "GET", pages);
    const { continue: token, resourceVersion } = first.body["metadata"] as Record<string, string>;
    await forgetThePast();

    const next = await call(server.url, "GET", `${pages}&continue=${token}`);
    expect([next.code, next.body["reason"]]).to.deep.equal([410, "Expired"]);
    const { continue: anyway } = next.body["metadata"] as Record<string, string>;
    await call(server.url, "DELETE", `${configMaps}/list-b`);
    const rest = await call(server.url, "GET", `${pages}&continue=${anyway}`);
    const items = rest.body["items"] as { metadata: { name: string } }[];
    expect(items.map(({ metadata }) => metadata.name)).to.deep.equal(["list-c"]);

    const exact = await call(
      server.url,
      "GET",
      `${configMaps}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`,
    );
    expect([exact.code, exact.body["message"]]).to.deep.equal([
      410,
      "The resourceVersion for the provided list is too old.",
    ]);
  });
});
