import { expect } from "chai";
import * as fc from "fast-check";
import { toManagedFields, type Manager } from "../../../local/api-server/apply/managed-fields.ts";
import { serverSideApply } from "../../../local/api-server/apply/server-side-apply.ts";
import type { JsonObject, KubeObject } from "../../../local/api-server/objects.ts";
import type { Schema } from "../../../local/api-server/schema/schema.ts";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { applyPatch, call, mergePatch, type Answer } from "./api-call.ts";

const deployments = "/apis/apps/v1/namespaces/default/deployments";
const configMaps = "/api/v1/namespaces/default/configmaps";

function deployment(containers: object[], more: object = {}): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers } },
      ...more,
    },
  };
}

describe("server-side apply over HTTP", () => {
  let server: ApiServer;
  const apply = (path: string, manager: string, body: object, query = ""): Promise<Answer> =>
    call(server.url, "PATCH", `${path}?fieldManager=${manager}${query}`, { body, type: applyPatch });
  const config = (data: object): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data });
  const managers = (answer: Answer): string[] =>
    (answer.body["metadata"] as KubeObject["metadata"]).managedFields?.map(
      (entry) => `${entry.manager} ${entry.operation}`,
    ) ?? [];

  beforeEach(async () => {
    server = await startApiServer();
  });
  afterEach(() => server.close());

  it("creates what is not there, and writes nothing when nothing changes", async () => {
    const first = await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:1" }]));
    expect(first.code).to.equal(201);
    const second = await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:1" }]));
    expect(second.code).to.equal(200);
    expect(second.body).to.deep.equal(first.body);
  });

  it("records who applied what", async () => {
    const { body } = await apply(`${configMaps}/a`, "x", config({ a: "1", b: "2" }));
    expect(body)
      .to.have.nested.property("metadata.managedFields[0].fieldsV1")
      .that.deep.equals({ "f:data": { "f:a": {}, "f:b": {} } });
  });

  it("refuses to overwrite what others own, naming each and the fields", async () => {
    await apply(`${configMaps}/a`, "x", config({ a: "1", b: "2" }));
    const one = await apply(`${configMaps}/a`, "y", config({ a: "2" }));
    expect(one.body).to.deep.include({
      code: 409,
      reason: "Conflict",
      message: `Apply failed with 1 conflict: conflict with "x": .data.a`,
      details: { causes: [{ reason: "FieldManagerConflict", message: `conflict with "x"`, field: ".data.a" }] },
    });
    await call(server.url, "PATCH", `${configMaps}/a?fieldManager=w`, { body: { data: { a: "5" } }, type: mergePatch });
    const both = await apply(`${configMaps}/a`, "y", config({ a: "2", b: "3" }));
    expect(both.body["message"]).to.equal(
      `Apply failed with 2 conflicts: conflicts with "w" using v1:\n- .data.a\nconflicts with "x":\n- .data.b`,
    );
  });

  it("takes fields over by force, and shares those that are the same", async () => {
    await apply(`${configMaps}/a`, "x", config({ a: "1", b: "2" }));
    expect(managers(await apply(`${configMaps}/a`, "y", config({ a: "1" })))).to.have.members(["x Apply", "y Apply"]);
    const forced = await apply(`${configMaps}/a`, "z", config({ a: "9", b: "9" }), "&force=true");
    expect(forced.body["data"]).to.deep.equal({ a: "9", b: "9" });
    expect(managers(forced)).to.deep.equal(["z Apply"]);
  });

  it("removes what its manager no longer applies, and only that", async () => {
    await apply(
      `${deployments}/d`,
      "op",
      deployment([
        { name: "c", image: "x:1", env: [{ name: "A", value: "1" }] },
        { name: "gone", image: "y:1" },
      ]),
    );
    await apply(`${deployments}/d`, "other", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d" },
      spec: { template: { spec: { containers: [{ name: "c", env: [{ name: "B", value: "2" }] }] } } },
    });
    const { body } = await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:1" }]));
    expect(body).to.have.nested.property("spec.template.spec.containers").with.length(1);
    expect(body)
      .to.have.nested.property("spec.template.spec.containers[0].env")
      .that.deep.equals([{ name: "B", value: "2" }]);
  });

  it("leaves replicas to whoever scales when the applier does not name them", async () => {
    await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:1" }], { replicas: 2 }));
    await call(server.url, "PATCH", `${deployments}/d/scale?fieldManager=hpa`, {
      body: { spec: { replicas: 5 } },
      type: mergePatch,
    });
    const conflict = await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:1" }], { replicas: 2 }));
    expect(conflict.body["message"]).to.equal(
      `Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas`,
    );
    const { body } = await apply(`${deployments}/d`, "op", deployment([{ name: "c", image: "x:2" }]));
    expect(body).to.have.nested.property("spec.replicas", 5);
  });

  it("keeps ports apart by port and protocol, whose default is TCP", async () => {
    const service = (ports: object[]): object => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { selector: { a: "b" }, ports },
    });
    const path = "/api/v1/namespaces/default/services/s";
    await apply(
      path,
      "op",
      service([
        { name: "http", port: 80 },
        { name: "grpc", port: 90 },
      ]),
    );
    const { body } = await apply(path, "op", service([{ name: "grpc", port: 90, protocol: "TCP" }]));
    expect(body)
      .to.have.nested.property("spec.ports")
      .that.deep.equals([{ name: "grpc", port: 90, protocol: "TCP", targetPort: 90 }]);
  });

  it("owns the status through its subresource, and nothing of it otherwise", async () => {
    await apply(`${deployments}/d`, "op", { ...deployment([{ name: "c", image: "x:1" }]), status: { replicas: 1 } });
    const condition = { type: "Ready", status: "True" };
    const body = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d" },
      status: { conditions: [condition] },
    };
    const answer = await call(server.url, "PATCH", `${deployments}/d/status?fieldManager=op`, {
      body,
      type: applyPatch,
    });
    expect(answer.body["status"]).to.deep.equal({ conditions: [condition] });
    const entries = (answer.body["metadata"] as KubeObject["metadata"]).managedFields ?? [];
    expect(entries.map(({ subresource, fieldsV1 }) => [subresource, Object.keys(fieldsV1)])).to.deep.equal([
      [undefined, ["f:spec"]],
      ["status", ["f:status"]],
    ]);
  });

  it("needs a field manager and the right kind, and takes no managedFields", async () => {
    expect((await apply(`${configMaps}/a`, "", config({}))).body["message"]).to.equal(
      `PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`,
    );
    expect((await apply(`${configMaps}/a`, "x", { apiVersion: "v1", kind: "Secret" })).body["message"]).to.equal(
      "invalid object type: /v1, Kind=Secret",
    );
    expect((await apply(`${configMaps}/a`, "x", { ...config({}), metadata: { managedFields: [] } })).code).to.equal(
      400,
    );
  });
});

const schema: Schema = {
  type: "object",
  properties: {
    metadata: { type: "object", properties: { labels: { type: "object", additionalProperties: { type: "string" } } } },
    spec: {
      type: "object",
      properties: {
        a: { type: "integer" },
        b: { type: "integer" },
        inner: { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } } },
        whole: { type: "array", items: { type: "integer" } },
        tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
        items: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            properties: { name: { type: "string" }, a: { type: "integer" }, b: { type: "integer" } },
          },
        },
      },
    },
  },
};

const small = fc.integer({ min: 0, max: 2 });
const pair = fc.record({ a: small, b: small }, { requiredKeys: [] });
const configurations = fc.record(
  {
    metadata: fc.record(
      { labels: fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "2")) },
      { requiredKeys: [] },
    ),
    spec: fc.record(
      {
        a: small,
        b: small,
        inner: pair,
        whole: fc.array(small, { maxLength: 2 }),
        // Nobody owns a list of items that has none.
        tags: fc.uniqueArray(fc.constantFrom("p", "q", "r"), { minLength: 1 }),
        items: fc
          .uniqueArray(fc.constantFrom("one", "two"), { minLength: 1, maxLength: 2 })
          .chain((names) => fc.tuple(...names.map((name) => pair.map((fields) => ({ name, ...fields }))))),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

function applied(live: KubeObject | undefined, config: JsonObject, name: string): KubeObject {
  const manager: Manager = { name, operation: "Apply", apiVersion: "v1", subresource: undefined };
  const { object, managed } = serverSideApply(live, config, { schema, manager, force: true, ignored: [], now: 0 });
  const metadata = object["metadata"] as KubeObject["metadata"] | undefined;
  return { ...object, metadata: { ...metadata, managedFields: toManagedFields(managed) } } as KubeObject;
}

/** Whether everything that `config` says holds in `object`; keyed lists and sets may hold more. */
function holds(object: unknown, config: unknown): boolean {
  if (Array.isArray(config)) {
    if (!Array.isArray(object)) return false;
    if (config.some((item) => typeof item === "number")) return JSON.stringify(object) === JSON.stringify(config);
    return config.every((item) => object.some((present) => holds(present, item)));
  }
  if (typeof config !== "object" || config === null) return object === config;
  return Object.entries(config).every(([field, value]) => holds((object as JsonObject | undefined)?.[field], value));
}

describe("server-side apply, whatever is applied", () => {
  it("is idempotent", () => {
    fc.assert(
      fc.property(configurations, configurations, configurations, (before, others, config) => {
        const live = applied(applied(applied(undefined, before, "me"), others, "other"), config, "me");
        expect(applied(live, config, "me")).to.deep.equal(live);
      }),
    );
  });

  it("ends with everything that the applier asked for", () => {
    fc.assert(
      fc.property(configurations, configurations, configurations, (before, others, config) => {
        expect(
          holds(applied(applied(applied(undefined, before, "me"), others, "other"), config, "me"), config),
        ).to.equal(true);
      }),
    );
  });

  it("removes nothing that others applied when the applier withdraws everything", () => {
    fc.assert(
      fc.property(configurations, configurations, (mine, others) => {
        expect(holds(applied(applied(applied(undefined, mine, "me"), others, "other"), {}, "me"), others)).to.equal(
          true,
        );
      }),
    );
  });

  it("leaves nothing of an applier that alone applied and then withdraws everything", () => {
    fc.assert(
      fc.property(configurations, (config) => {
        const left = applied(applied(undefined, config, "me"), {}, "me");
        expect(left.metadata).to.deep.equal({ managedFields: [] });
        expect(left["spec"]).to.equal(undefined);
      }),
    );
  });
});
