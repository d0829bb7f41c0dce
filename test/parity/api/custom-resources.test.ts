import { compareServers } from "../compare.ts";
import { apply, asTable, get, jsonPatch, mergePatch, post, put, remove, strategicPatch, watch } from "../request.ts";
import type { Step } from "../request.ts";
import { widgetDefinition } from "../widgets.ts";

const widgets = "/apis/parity.slipway.dev/v1/namespaces/{ns}/widgets";
const one = `${widgets}/a`;
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widget = (spec: object, more: object = {}): object => ({
  apiVersion: "parity.slipway.dev/v1",
  kind: "Widget",
  metadata: { name: "a" },
  spec: { size: 3, ...spec },
  ...more,
});
const made = post(widgets, widget({}));
const makes = (spec: object, query = ""): Step => post(`${widgets}${query}`, widget(spec));
/** A definition of its own for a case; `schema` stands for its spec. */
const defines = (schema: object, version: object = {}, spec: object = {}): Step =>
  post(`${definitions}?dryRun=All`, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "gadgets.parity.slipway.dev" },
    spec: {
      group: "parity.slipway.dev",
      scope: "Namespaced",
      names: { plural: "gadgets", kind: "Gadget" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec: schema } } },
          ...version,
        },
      ],
      ...spec,
    },
  });
const ruled = (rule: string, more: object = {}): Step =>
  defines({
    type: "object",
    properties: {
      size: { type: "integer" },
      names: { type: "array", maxItems: 5, items: { type: "string", maxLength: 9 } },
    },
    "x-kubernetes-validations": [{ rule, ...more }],
  });

compareServers(
  "custom resources",
  [
    ["an object with the schema's defaults", made, get(one)],
    ["defaults within objects and lists", makes({ nested: {}, items: [{ name: "x" }] })],
    ["a null counts as absent unless the schema allows it", makes({ mode: null, nested: null, maybe: null })],
    ["unknown fields are pruned with a warning", makes({ unknown: 1, nested: { unknown: 2 } }), get(one)],
    [
      "unknown fields are refused when strict",
      makes({ unknown: 1, nested: { unknown: 2 } }, "?fieldValidation=Strict"),
    ],
    ["unknown fields are pruned silently when ignored", makes({ unknown: 1 }, "?fieldValidation=Ignore")],
    ["unknown fields are kept where the schema wants them", makes({ free: { anything: [1, "a", { b: null }] } })],
    ["unknown fields at the root", post(widgets, widget({}, { other: 1 }))],
    [
      "unknown fields of metadata",
      post(widgets, widget({}, { metadata: { name: "a", labels: { x: "y" }, unknown: 1 } })),
      post(`${widgets}?fieldValidation=Strict`, widget({}, { metadata: { name: "b", unknown: 1 } })),
    ],
    [
      "a field that is missing",
      post(widgets, { ...widget({}), spec: {} }),
      post(widgets, { apiVersion: "parity.slipway.dev/v1", kind: "Widget", metadata: { name: "a" } }),
    ],
    [
      "values out of bounds",
      makes({ size: 0 }),
      makes({ size: 101 }),
      makes({ mode: "slow" }),
      makes({ code: "x" }),
      makes({ code: "AAAAAAAAAA" }),
      makes({ tags: ["a", "b", "c", "d"] }),
    ],
    ["several problems are all named", makes({ size: 0, mode: "slow", code: "x" })],
    ["a list of type map takes each key once", makes({ items: [{ name: "x" }, { name: "x" }] })],
    ["a list of type set takes each value once", makes({ tags: ["a", "a"] })],
    ["a rule that does not hold", makes({ size: 7 }), makes({ size: 8, nested: { low: 5, high: 4 } })],
    [
      "a rule over lists",
      makes({
        items: [
          { name: "x", share: 70 },
          { name: "y", share: 40 },
        ],
      }),
      makes({
        items: [
          { name: "x", share: 60 },
          { name: "y", share: 40 },
        ],
      }),
    ],
    ["a rule with a message of its own making", makes({ nested: { low: 9, high: 1 } })],
    [
      "a rule about the change",
      made,
      mergePatch(one, { spec: { fixed: "x" } }),
      mergePatch(one, { spec: { fixed: "y" } }),
    ],
    ["a rule on a field with a reason", makes({ forbidden: "x" })],
    ["rules are not asked of what the schema refuses", makes({ size: "x", nested: { low: 9, high: 1 } })],
    ["problems of before are ratcheted", made, mergePatch(one, { metadata: { labels: { a: "b" } } })],
    ["a PUT without a resourceVersion", made, put(one, widget({ size: 4 }))],
    [
      "patches",
      made,
      mergePatch(one, { spec: { size: 5, tags: ["a"] } }),
      jsonPatch(one, [{ op: "add", path: "/spec/tags/-", value: "b" }]),
      strategicPatch(one, { spec: { size: 6 } }),
      mergePatch(one, { spec: { size: "x" } }),
      mergePatch(one, { spec: { unknown: "x" } }),
    ],
    [
      "generation counts what is not metadata or status",
      made,
      mergePatch(one, { metadata: { labels: { a: "b" } } }),
      mergePatch(one, { spec: { size: 4 } }),
      mergePatch(`${one}/status`, { status: { phase: "Ready" } }),
    ],
    [
      "status is written through its subresource only",
      post(widgets, widget({}, { status: { phase: "Ready" } })),
      mergePatch(one, { status: { phase: "Ready" } }),
      mergePatch(`${one}/status`, { status: { phase: "Ready" }, spec: { size: 9 }, metadata: { labels: { a: "b" } } }),
      get(`${one}/status`),
    ],
    [
      "a scale",
      made,
      get(`${one}/scale`),
      mergePatch(`${one}/scale`, { spec: { replicas: 4 } }),
      mergePatch(`${one}/status`, { status: { replicas: 2, selector: "a=b" } }),
      get(`${one}/scale`),
      put(`${one}/scale`, {
        apiVersion: "autoscaling/v1",
        kind: "Scale",
        metadata: { name: "a" },
        spec: { replicas: 1 },
      }),
    ],
    ["a scale against the schema", made, mergePatch(`${one}/scale`, { spec: { replicas: -1 } })],
    [
      "a table with the columns of the definition",
      made,
      mergePatch(`${one}/status`, { status: { phase: "Ready", conditions: [{ type: "Ready", status: "True" }] } }),
      get(one, { accept: asTable }),
      get(widgets, { accept: asTable }),
    ],
    [
      "a list and a watch",
      made,
      get(widgets),
      watch(`${widgets}?watch=true`, 2, [mergePatch(one, { spec: { size: 4 } })]),
    ],
    [
      "a selectable field",
      made,
      get(`${widgets}?fieldSelector=spec.mode%3Dfast`),
      get(`${widgets}?fieldSelector=spec.mode%3Dother`),
      get(`${widgets}?fieldSelector=spec.size%3D3`),
    ],
    [
      "an apply creates, changes and removes",
      apply(one, "one", widget({ tags: ["a"] })),
      apply(one, "two", widget({ tags: ["b"], mode: "fast" })),
      apply(one, "one", widget({})),
      apply(one, "one", widget({ size: 5 })),
    ],
    [
      "an apply over lists of type map, set and atomic",
      apply(one, "one", widget({ items: [{ name: "x", share: 60 }], args: ["a"] })),
      apply(one, "two", widget({ items: [{ name: "y", share: 40 }] })),
      apply(one, "two", widget({ items: [{ name: "x", share: 50 }] })),
      apply(one, "two", widget({ args: ["b"] })),
      apply(one, "one", widget({ args: ["c"] })),
    ],
    [
      "an apply of a default of someone else",
      apply(one, "one", widget({})),
      apply(one, "two", widget({ mode: "fast" })),
      apply(one, "two", widget({})),
    ],
    [
      "an apply into free fields",
      apply(one, "one", widget({ free: { a: { b: 1 }, l: [1] } })),
      apply(one, "two", widget({ free: { a: { c: 2 } } })),
      apply(one, "two", widget({ free: { a: { b: 2 } } })),
    ],
    [
      "an apply with unknown fields and wrong types",
      apply(one, "one", widget({ unknown: 1 })),
      apply(one, "one", widget({ size: "x" })),
      apply(one, "one", widget({ items: [{ share: 1 }] })),
      apply(one, "one", widget({ size: 0 })),
    ],
    [
      "an apply of status",
      made,
      apply(`${one}/status`, "one", {
        apiVersion: "parity.slipway.dev/v1",
        kind: "Widget",
        metadata: { name: "a" },
        status: { phase: "Ready", conditions: [{ type: "Ready", status: "True" }] },
      }),
      apply(`${one}/status`, "two", {
        apiVersion: "parity.slipway.dev/v1",
        kind: "Widget",
        metadata: { name: "a" },
        status: { conditions: [{ type: "Live", status: "True" }] },
      }),
    ],
    ["deletion", made, remove(one), get(one), made, remove(widgets)],
    [
      "a dry run",
      post(`${widgets}?dryRun=All`, widget({})),
      get(one),
      post(`${widgets}?dryRun=All`, widget({ size: 0 })),
    ],
    [
      "an object of another version of the same kind",
      post("/apis/parity.slipway.dev/v1beta1/namespaces/{ns}/widgets", {
        apiVersion: "parity.slipway.dev/v1beta1",
        kind: "Widget",
        metadata: { name: "a" },
        spec: { size: 3 },
      }),
      get(one),
    ],
    [
      "a definition without a schema, or an unstructural one",
      defines({}, { schema: {} }),
      defines({ properties: { a: { type: "string" } } }),
      defines({ type: "object", properties: { a: {} } }),
      defines({ type: "array" }),
    ],
    [
      "a definition whose name does not fit",
      post(`${definitions}?dryRun=All`, {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "other.parity.slipway.dev" },
        spec: {
          group: "parity.slipway.dev",
          scope: "Namespaced",
          names: { plural: "gadgets", kind: "Gadget" },
          versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
        },
      }),
    ],
  ],
  [
    {
      because: "a value of a wrong type is told once",
      at: ["step 2", "step 5"],
      of: [
        "values of the wrong type",
        makes({ size: "3" }),
        makes({ size: 1.5 }),
        makes({ items: {} }),
        makes({ nested: [] }),
        makes({ mode: 1 }),
      ],
    },
    {
      because: "a value of a wrong type is told once",
      at: ["step 3", "step 4"],
      of: [
        "int or string",
        makes({ amount: 1 }),
        put(one, widget({ amount: "10%" })),
        makes({ amount: 1.5 }),
        makes({ amount: true }),
      ],
    },
    {
      because: "a missing name alone keeps no rule from being checked",
      at: ["step 3"],
      of: [
        "metadata of the wrong type",
        post(widgets, widget({}, { metadata: { name: "a", labels: { x: 1 } } })),
        post(widgets, widget({}, { metadata: { name: "A b" } })),
        post(widgets, widget({}, { metadata: {} })),
      ],
    },
    {
      because: "a body without kind is of the kind of its URL",
      at: ["step 2", "step 3"],
      of: [
        "another kind or version in the body",
        post(widgets, { ...widget({}), kind: "Gadget" }),
        post(widgets, { ...widget({}), apiVersion: "parity.slipway.dev/v9" }),
        post(widgets, { metadata: { name: "a" }, spec: { size: 3 } }),
      ],
    },
    {
      because: "the real server names a field of status from there on",
      at: ["step 2"],
      of: [
        "status is validated, too",
        made,
        mergePatch(`${one}/status`, { status: { phase: 1 } }),
        mergePatch(`${one}/status`, { status: { unknown: 1 } }),
      ],
    },
    {
      because: "finalizers without a domain are taken silently",
      at: ["step 1"],
      of: [
        "finalizers, also without a domain",
        post(widgets, widget({}, { metadata: { name: "a", finalizers: ["x"] } })),
        remove(one),
        mergePatch(one, { metadata: { finalizers: null } }),
        get(one),
      ],
    },
    {
      because: "there is one stored version, and no hash of it",
      at: ["step 2"],
      of: [
        "discovery of the group",
        get("/apis/parity.slipway.dev"),
        get("/apis/parity.slipway.dev/v1"),
        get("/apis/parity.slipway.dev/v9"),
      ],
    },
    {
      because: "a definition is served at once",
      at: ["step 1"],
      of: ["a definition with defaults of its own", defines({ type: "object", properties: { a: { type: "string" } } })],
    },
    {
      because: "a definition is served at once",
      at: ["step 2"],
      of: [
        "a definition with a list of type map",
        defines({
          type: "array",
          items: { type: "object", properties: { k: { type: "string" } } },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["k"],
        }),
        defines({
          type: "array",
          items: { type: "object", properties: { k: { type: "string" } }, required: ["k"] },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["k"],
        }),
      ],
    },
    {
      because: "a definition is served at once",
      at: ["step 1", "step 2", "step 3"],
      of: [
        "a definition with rules",
        ruled("self.size > 1"),
        ruled("self.names.all(name, name.startsWith('a'))", { message: "must start with a" }),
        ruled("has(self.size) && self.size < 3", {
          messageExpression: "self.size > 5 ? 'far too large' : 'too large'",
        }),
      ],
    },
    {
      because: "a wrong definition is told in fewer words",
      at: ["step 1", "step 3"],
      of: [
        "a definition without a stored version, scope or kind",
        defines({ type: "object" }, { storage: false }),
        defines({ type: "object" }, {}, { scope: undefined }),
        defines({ type: "object" }, {}, { names: { plural: "gadgets" } }),
        defines({ type: "object" }, {}, { scope: "Everywhere" }),
      ],
    },
    {
      because: "the CEL compiler has words of its own",
      at: ["step 1", "step 4"],
      of: [
        "a definition with rules that are none",
        ruled("self.size >"),
        ruled("self.nothing == 1"),
        ruled("self.size + 1"),
        ruled("self.size == 'x'"),
      ],
    },
  ],
  [post(definitions, widgetDefinition), get("/apis/parity.slipway.dev/v1/widgets")],
);
