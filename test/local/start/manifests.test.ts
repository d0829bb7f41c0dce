import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import { applyOnce, type Manifest } from "../../../local/start/manifests.ts";

const path = "/api/v1/namespaces/default/configmaps";

const example = ["first", "last"].map((name): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { share: "80" },
}));

describe("an example's manifests", () => {
  let server: ApiServer;
  let client: ClusterClient;
  beforeEach(async () => {
    server = await startApiServer();
    client = ClusterClient.plain(server.url);
  });
  afterEach(async () => {
    await client.close();
    await server.close();
  });
  const shares = async (): Promise<Record<string, string | undefined>> => {
    const { items } = await client.request<{ items: (Manifest & { data: { share: string } })[] }>("GET", path);
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data.share]));
  };

  it("are applied once: what users make of it stays", async () => {
    await applyOnce(client, example);
    await client.request("PATCH", `${path}/last`, { patch: "merge", body: { data: { share: "60" } } });
    await applyOnce(client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "60" });
  });

  it("are applied again when the first time was cut off, or the last one was deleted", async () => {
    await applyOnce(client, example.slice(0, 1));
    await applyOnce(client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "80" });
    await client.request("DELETE", `${path}/last`);
    await applyOnce(client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "80" });
  });
});
