import * as fc from "fast-check";
import { compareServers } from "../compare.ts";
import type { Case } from "../compare.ts";
import { apply, configMap, configMapOf, deployment, get, jsonPatch, mergePatch, post, remove } from "../request.ts";
import type { Request } from "../request.ts";
import { widgetDefinition } from "../widgets.ts";

const sequences = 200;
const seed = 20_261_122;

const managers = ["one", "two", "three"] as const;
const manager = fc.constantFrom(...managers);
const value = fc.constantFrom("1", "2");
/** A subset of a few fields, each with one of two values: so that managers meet. */
const fields = fc.dictionary(fc.constantFrom("a", "b", "c"), value, { maxKeys: 3 });

const widget = "/apis/parity.slipway.dev/v1/namespaces/{ns}/widgets";
const updating = (path: string, who: string): string => `${path}?fieldManager=${who}`;
const force = fc.constantFrom("", "force=true");

const configMaps = writesOf(
  configMap(),
  fc.record({ data: fields, labels: fields }).map(({ data, labels }) => configMapOf("x", data, { labels })),
  fc.record({ data: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.option(value), { maxKeys: 2 }) }),
);

const containers = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom("main", "side"),
    image: fc.constantFrom("example.com/a:1", "example.com/a:2"),
    env: fc.uniqueArray(fc.record({ name: fc.constantFrom("A", "B"), value }), {
      selector: ({ name }) => name,
      maxLength: 2,
    }),
    args: fc.option(fc.array(value, { maxLength: 2 }), { nil: undefined }),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 2 },
);
const deployments = writesOf(
  deployment(),
  fc
    .record({ replicas: fc.option(fc.constantFrom(1, 2), { nil: undefined }), containers, labels: fields })
    .map((spec) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "x", labels: spec.labels },
      spec: {
        ...(spec.replicas !== undefined && { replicas: spec.replicas }),
        selector: { matchLabels: { app: "x" } },
        template: { metadata: { labels: { app: "x" } }, spec: { containers: spec.containers } },
      },
    })),
  fc.record({ spec: fc.record({ replicas: fc.constantFrom(1, 2, 3) }) }),
);

const items = fc.uniqueArray(fc.record({ name: fc.constantFrom("p", "q"), share: fc.constantFrom(10, 20) }), {
  selector: ({ name }) => name,
  maxLength: 2,
});
const widgets = writesOf(
  widget,
  fc
    .record({
      size: fc.constantFrom(1, 2),
      tags: fc.uniqueArray(value, { maxLength: 2 }),
      items,
      free: fc.dictionary(fc.constantFrom("a", "b", "c"), value, { minKeys: 1, maxKeys: 3 }),
      mode: fc.option(fc.constant("careful"), { nil: undefined }),
    })
    .map(({ mode, ...spec }) => ({
      apiVersion: "parity.slipway.dev/v1",
      kind: "Widget",
      metadata: { name: "x" },
      spec: { ...spec, ...(mode && { mode }) },
    })),
  fc.record({ spec: fc.record({ size: fc.constantFrom(1, 2, 3) }) }),
);

/** Up to eight writes of one object by three managers, and a look at what came of them. */
function writesOf(
  collection: string,
  body: fc.Arbitrary<object>,
  patch: fc.Arbitrary<object>,
): fc.Arbitrary<Request[]> {
  const path = `${collection}/x`;
  const write = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(manager, body, force).map(([who, wanted, forced]) => apply(path, who, wanted, forced)),
    },
    { weight: 2, arbitrary: fc.tuple(manager, patch).map(([who, change]) => mergePatch(updating(path, who), change)) },
    { weight: 1, arbitrary: fc.tuple(manager, body).map(([who, wanted]) => post(updating(collection, who), wanted)) },
    {
      weight: 1,
      arbitrary: manager.map((who) => jsonPatch(updating(path, who), [{ op: "remove", path: "/metadata/labels" }])),
    },
    { weight: 1, arbitrary: fc.constant(remove(path)) },
  );
  return fc.array(write, { minLength: 2, maxLength: 8 }).map((writes) => [...writes, get(path)]);
}

const sampled = fc.sample(fc.oneof(configMaps, deployments, widgets), { numRuns: sequences, seed });

compareServers(
  "random writes by three managers",
  sampled.map((steps, index): Case => [`sequence ${index + 1}: ${steps.map(named).join(", ")}`, ...steps]),
  [],
  [
    post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetDefinition),
    get("/apis/parity.slipway.dev/v1/widgets"),
  ],
);

function named({ method, path, type = "" }: Request): string {
  const who = /fieldManager=(\w+)/.exec(path)?.[1];
  const verb = type.includes("apply") ? (path.includes("force") ? "APPLY!" : "APPLY") : method;
  return who ? `${who} ${verb}` : verb;
}
