import { expect } from "chai";
import type { KubeObject } from "../../../local/cluster/objects.ts";
import { fieldsAppliedBy } from "../../../local/start/applied-fields.ts";
import { FreshApiServer } from "../fresh-api-server.ts";

const path = "/api/v1/namespaces/default/services/front";

describe("what a manager has applied of an object", () => {
  const api = new FreshApiServer();
  const apply = (manager: string, { metadata, spec }: { metadata?: object; spec?: object }): Promise<KubeObject> => {
    const body = { apiVersion: "v1", kind: "Service", metadata: { name: "front", ...metadata }, spec };
    return api.client.request("PATCH", path, { patch: "apply", query: { fieldManager: manager }, body });
  };

  it("is what it sent: maps, items by their keys, members of sets; and nothing of another manager", async () => {
    const mine = {
      metadata: { labels: { app: "front" }, finalizers: ["example.com/mine"] },
      spec: {
        selector: { app: "front" },
        ports: [
          { port: 80, protocol: "TCP", name: "tcp", targetPort: 8000 },
          { port: 80, protocol: "UDP", name: "udp" },
        ],
      },
    };
    const theirs = {
      metadata: { labels: { team: "growth" }, finalizers: ["example.com/theirs"] },
      spec: { ports: [{ port: 81, protocol: "TCP", name: "other" }], sessionAffinity: "ClientIP" },
    };
    await apply("mine", mine);
    const live = await apply("theirs", theirs);
    expect(fieldsAppliedBy("mine", live)).to.deep.equal(mine);
    expect(fieldsAppliedBy("theirs", live)).to.deep.equal(theirs);
  });

  it("is nothing when it has only updated it", async () => {
    await apply("mine", { spec: { ports: [{ port: 80 }] } });
    const body = { metadata: { labels: { team: "growth" } } };
    const query = { fieldManager: "editor" };
    const live = await api.client.request<KubeObject>("PATCH", path, { patch: "merge", query, body });
    expect(fieldsAppliedBy("editor", live)).to.deep.equal({});
  });
});
