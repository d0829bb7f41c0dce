import { expect } from "chai";
import { applyOnce, type Manifest } from "../../../local/start/manifests.ts";
import { FreshApiServer } from "../fresh-api-server.ts";

const path = "/api/v1/namespaces/default/configmaps";

const example = ["first", "last"].map((name): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { share: "80" },
}));

describe("an example's manifests", () => {
  const api = new FreshApiServer();
  const shares = async (): Promise<Record<string, string | undefined>> => {
    const { items } = await api.client.request<{ items: (Manifest & { data: { share: string } })[] }>("GET", path);
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data.share]));
  };

  it("are applied once: what users make of it stays", async () => {
    await applyOnce(api.client, example);
    await api.client.request("PATCH", `${path}/last`, { patch: "merge", body: { data: { share: "60" } } });
    await applyOnce(api.client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "60" });
  });

  it("are applied again when the first time was cut off, or the last one was deleted", async () => {
    await applyOnce(api.client, example.slice(0, 1));
    await applyOnce(api.client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "80" });
    await api.client.request("DELETE", `${path}/last`);
    await applyOnce(api.client, example);
    expect(await shares()).to.deep.equal({ first: "80", last: "80" });
  });
});
