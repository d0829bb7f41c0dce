import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { eventually } from "../../support/eventually.ts";
import { applyPatch, call, mergePatch, strategicPatch, type Answer } from "./api-call.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widgets = "/apis/acme.io/v1/namespaces/default/widgets";

const specSchema = {
  type: "object",
  required: ["mode"],
  "x-kubernetes-validations": [
    { rule: "self.replicas <= self.max", message: "too many", fieldPath: ".replicas" },
    {
      rule: "!has(self.items) || self.items.map(i, i.weight).sum() == 100",
      messageExpression: "'weights of ' + self.mode + ' sum to ' + string(self.items.map(i, i.weight).sum())",
    },
    { rule: "self.mode == oldSelf.mode", message: "immutable", reason: "FieldValueForbidden" },
    { rule: "!has(self.__namespace__) || self.__namespace__.startsWith('team-')", message: "not a team's" },
    { rule: "!has(self.memory) || quantity(self.memory).isGreaterThan(quantity('1Mi'))", message: "too little memory" },
    { rule: "!has(self.items) || self.items.all(i, i.name.matches('^[a-z]+$'))", message: "names are lower case" },
  ],
  properties: {
    mode: { type: "string", enum: ["a", "b"] },
    replicas: { type: "integer", format: "int32", minimum: 0, maximum: 10, default: 1 },
    max: { type: "integer", default: 5 },
    name: { type: "string", maxLength: 5, pattern: "^[a-z]+$" },
    label: { type: "string", "x-kubernetes-validations": [{ rule: "!self.contains('.')", message: "no dots" }] },
    namespace: { type: "string" },
    memory: { type: "string" },
    port: { "x-kubernetes-int-or-string": true },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    items: {
      type: "array",
      maxItems: 3,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name", "weight"],
        properties: { name: { type: "string" }, weight: { type: "integer", maximum: 100 } },
      },
    },
    tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
  },
};

const statusSchema = {
  type: "object",
  properties: {
    replicas: { type: "integer" },
    selector: { type: "string" },
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type"],
        properties: { type: { type: "string" }, status: { type: "string" } },
      },
    },
  },
};

const metadataSchema = { type: "object", properties: { name: { type: "string", maxLength: 12 } } };

function definition(
  schema: object = { type: "object", properties: { metadata: metadataSchema, spec: specSchema, status: statusSchema } },
  name = "widget",
): object {
  return {
    metadata: { name: `${name}s.acme.io` },
    spec: {
      group: "acme.io",
      scope: "Namespaced",
      names: { plural: `${name}s`, kind: name.charAt(0).toUpperCase() + name.slice(1), shortNames: ["wd"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          additionalPrinterColumns: [
            { name: "Size", type: "integer", jsonPath: ".spec.replicas" },
            { name: "Ready", type: "string", jsonPath: `.status.conditions[?(@.type=="Ready")].status` },
            { name: "Mode", type: "string", jsonPath: ".spec.mode", priority: 1 },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
        },
      ],
    },
  };
}

describe("custom resources", () => {
  let server: ApiServer;
  const ask = (...[method, path, options]: [string, string, Parameters<typeof call>[3]?]): Promise<Answer> =>
    call(server.url, method, path, options);
  const widget = (name: string, spec: object, more: object = {}): object => ({
    apiVersion: "acme.io/v1",
    kind: "Widget",
    metadata: { name },
    spec,
    ...more,
  });
  const create = (name: string, spec: object, query = ""): Promise<Answer> =>
    ask("POST", widgets + query, { body: widget(name, spec) });

  before(async () => {
    server = await startApiServer();
    const { body } = await ask("POST", definitions, { body: definition() });
    expect(body).to.have.nested.property("status.conditions[1].type", "Established");
  });
  after(() => server.close());

  const unchecked =
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
  const refusals: [string, object, string][] = [
    ["a missing field", {}, `[spec.mode: Required value, ${unchecked}]`],
    [
      "a value outside an enum",
      { mode: "c" },
      `[spec.mode: Unsupported value: "c": supported values: "a", "b", ${unchecked}]`,
    ],
    [
      "a number above the maximum",
      { mode: "a", replicas: 11, max: 20 },
      "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10",
    ],
    [
      "a value of the wrong type",
      { mode: "a", port: true },
      `[spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean", ${unchecked}]`,
    ],
    [
      "a pattern that does not match",
      { mode: "a", name: "A" },
      `spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`,
    ],
    [
      "a text that is too long",
      { mode: "a", name: "toolong" },
      `[spec.name: Too long: may not be more than 5 bytes, ${unchecked}]`,
    ],
    [
      "an item's number, by its index",
      {
        mode: "a",
        items: [
          { name: "x", weight: 101 },
          { name: "y", weight: -1 },
        ],
      },
      "spec.items[0].weight: Invalid value: 101: spec.items[0].weight in body should be less than or equal to 100",
    ],
    [
      "two items of one key",
      {
        mode: "a",
        items: [
          { name: "x", weight: 50 },
          { name: "x", weight: 50 },
        ],
      },
      `spec.items[1]: Duplicate value: {"name":"x"}`,
    ],
    ["a value that is in a set twice", { mode: "a", tags: ["t", "t"] }, `spec.tags[1]: Duplicate value: "t"`],
    ["what a CEL rule forbids, at its fieldPath", { mode: "a", replicas: 8 }, "spec.replicas: Invalid value: too many"],
    [
      "what a CEL rule forbids, with its messageExpression",
      { mode: "a", items: [{ name: "x", weight: 90 }] },
      "spec: Invalid value: weights of a sum to 90",
    ],
    ["what a rule on an escaped name forbids", { mode: "a", namespace: "x" }, "spec: Invalid value: not a team's"],
    ["what a rule on a quantity forbids", { mode: "a", memory: "1Ki" }, "spec: Invalid value: too little memory"],
    [
      "what a rule on every item forbids",
      { mode: "a", items: [{ name: "X", weight: 100 }] },
      "spec: Invalid value: names are lower case",
    ],
  ];
  for (const [title, spec, problems] of refusals) {
    it(`are refused for ${title}`, async () => {
      const { code, body } = await create("refused", spec);
      expect({ code, message: body["message"] }).to.deep.equal({
        code: 422,
        message: `Widget.acme.io "refused" is invalid: ${problems}`,
      });
    });
  }

  it("are refused for a scalar that a rule forbids, with the scalar", async () => {
    const { body } = await create("refused", { mode: "a", label: "1.0" });
    expect(body["message"]).to.equal(`Widget.acme.io "refused" is invalid: spec.label: Invalid value: "1.0": no dots`);
  });

  it("are refused for a name that their schema does not allow", async () => {
    const { body } = await create("much-too-long", { mode: "a" });
    expect(body["message"]).to.contain("metadata.name: Too long: may not be more than 12 bytes");
  });

  it("get their schema's defaults, lose unknown fields and keep what the schema leaves free", async () => {
    const { body, warnings } = await create("pruned", { mode: "a", bar: 1, free: { any: { thing: 1 } }, name: null });
    expect(body["spec"]).to.deep.equal({ mode: "a", replicas: 1, max: 5, free: { any: { thing: 1 } } });
    expect(warnings).to.deep.equal([`299 - "unknown field \\"spec.bar\\""`]);
  });

  it("are refused for unknown fields when asked to be strict", async () => {
    const { code, body } = await create(
      "strict",
      { mode: "a", bar: 1, items: [{ name: "x", weight: 100, z: 1 }] },
      "?fieldValidation=Strict",
    );
    expect(code).to.equal(400);
    expect(body["message"]).to.equal(
      `Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.bar", unknown field "spec.items[0].z"`,
    );
  });

  it("check transition rules only on updates", async () => {
    await create("moving", { mode: "a" });
    const { body } = await ask("PATCH", `${widgets}/moving`, { body: { spec: { mode: "b" } }, type: mergePatch });
    expect(body["message"]).to.equal(`Widget.acme.io "moving" is invalid: spec: Forbidden: immutable`);
  });

  it("must name the version that a PUT replaces, and take no strategic merge patch", async () => {
    await create("put", { mode: "a" });
    const put = await ask("PUT", `${widgets}/put`, { body: widget("put", { mode: "a" }) });
    expect(put.body["message"]).to.equal(
      `widgets.acme.io "put" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
    );
    expect((await ask("PATCH", `${widgets}/put`, { body: {}, type: strategicPatch })).code).to.equal(415);
  });

  it("have a status that only its subresource writes, and writing it leaves the generation alone", async () => {
    await ask("POST", widgets, { body: widget("split", { mode: "a" }, { status: { replicas: 9 } }) });
    const body = { status: { replicas: 3, selector: "a=b" }, spec: { replicas: 2 } };
    const written = await ask("PATCH", `${widgets}/split/status`, { body, type: mergePatch });
    expect(written.body).to.deep.nested.include({
      status: { replicas: 3, selector: "a=b" },
      "spec.replicas": 1,
      "metadata.generation": 1,
    });
    expect((await ask("GET", `${widgets}/split/scale`)).body).to.deep.include({
      spec: { replicas: 1 },
      status: { replicas: 3, selector: "a=b" },
    });
  });

  it("are scaled within their rules", async () => {
    await create("scaled", { mode: "a" });
    expect(
      (await ask("PATCH", `${widgets}/scaled/scale`, { body: { spec: { replicas: 4 } }, type: mergePatch })).body[
        "spec"
      ],
    ).to.deep.equal({ replicas: 4 });
    expect(
      (await ask("PATCH", `${widgets}/scaled/scale`, { body: { spec: { replicas: 6 } }, type: mergePatch })).body[
        "message"
      ],
    ).to.contain("too many");
  });

  it("merge keyed lists when applied", async () => {
    const apply = (manager: string, spec: object): Promise<Answer> =>
      ask("PATCH", `${widgets}/applied?fieldManager=${manager}`, { body: widget("applied", spec), type: applyPatch });
    expect((await apply("one", { mode: "a", tags: ["x"] })).code).to.equal(201);
    expect((await apply("two", { tags: ["y"] })).body)
      .to.have.nested.property("spec.tags")
      .that.deep.equals(["x", "y"]);
    expect((await apply("one", { mode: "a" })).body)
      .to.have.nested.property("spec.tags")
      .that.deep.equals(["y"]);
    expect((await apply("one", { mode: "a", bogus: 1 })).body["message"]).to.equal(
      "failed to create typed patch object (/applied; acme.io/v1, Kind=Widget): .spec.bogus: field not declared in schema",
    );
  });

  it("are printed with their columns", async () => {
    await create("printed", { mode: "b" });
    await ask("PATCH", `${widgets}/printed/status`, {
      body: { status: { conditions: [{ type: "Ready", status: "True" }] } },
      type: mergePatch,
    });
    const { body } = await ask("GET", `${widgets}/printed`, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    expect(
      (body["columnDefinitions"] as { name: string; priority: number }[]).map(({ name, priority }) => [name, priority]),
    ).to.deep.equal([
      ["Name", 0],
      ["Size", 0],
      ["Ready", 0],
      ["Mode", 1],
      ["Age", 0],
    ]);
    expect(body).to.have.nested.property("rows[0].cells").that.deep.equals(["printed", 1, "True", "b", "0s"]);
  });

  it("are served by discovery and OpenAPI", async () => {
    const list = await ask("GET", "/apis/acme.io/v1");
    expect((list.body["resources"] as { name: string }[]).map(({ name }) => name)).to.deep.equal([
      "widgets",
      "widgets/status",
      "widgets/scale",
    ]);
    const document = await ask("GET", "/openapi/v3/apis/acme.io/v1");
    expect(document.body).to.have.nested.property("components.schemas.io\\.acme\\.v1\\.Widget.properties.spec");
  });

  const badRules: [string, string, RegExp][] = [
    ["of unknown fields", "self.nope == 1", /compilation failed: ERROR: <input>:1:5: undefined field 'nope'/],
    ["that do not parse", "self.a ==", /compilation failed: ERROR/],
    ["of mixed types", "self.a + 'x' == 'y'", /compilation failed: ERROR/],
    ["that are no condition", "self.a", /must evaluate to a bool/],
  ];
  for (const [title, rule, problem] of badRules) {
    it(`are not defined by CEL rules ${title}`, async () => {
      const spec = { type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule }] };
      const { code, body } = await ask("POST", definitions, {
        body: definition({ type: "object", properties: { spec } }, "broken"),
      });
      expect(code).to.equal(422);
      expect(body["message"])
        .to.match(problem)
        .and.to.contain("spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule");
    });
  }

  it("go with their definition, those with finalizers last", async () => {
    await ask("POST", definitions, { body: definition(undefined, "doomed") });
    const doomed = "/apis/acme.io/v1/namespaces/default/doomeds";
    const object = {
      apiVersion: "acme.io/v1",
      kind: "Doomed",
      metadata: { name: "d", finalizers: ["acme.io/hold"] },
      spec: { mode: "a" },
    };
    expect((await ask("POST", doomed, { body: object })).code).to.equal(201);
    await ask("DELETE", `${definitions}/doomeds.acme.io`);
    expect((await ask("GET", `${doomed}/d`)).body["metadata"]).to.include.keys("deletionTimestamp");
    await ask("PATCH", `${doomed}/d`, { body: { metadata: { finalizers: null } }, type: mergePatch });
    await eventually(async () => expect((await ask("GET", `${definitions}/doomeds.acme.io`)).code).to.equal(404));
    expect((await ask("GET", doomed)).code).to.equal(404);
  });
});
