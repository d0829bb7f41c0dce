import { compareServers } from "../compare.ts";
import {
  answered,
  apply,
  asTable,
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  mergePatch,
  metadataOf,
  post,
  remove,
  service,
  watch,
} from "../request.ts";
import type { Answer, Request, Step } from "../request.ts";
import { widgetDefinition } from "../widgets.ts";

const labelled = (name: string, labels: object): Step => post(configMap(), configMapOf(name, {}, { labels }));
const five: Step[] = ["a", "b", "c", "d", "e"].map((name, index) =>
  labelled(name, { n: String(index), ...(index % 2 === 0 && { even: "yes" }) }),
);
const select = (selector: string): Request => get(`${configMap()}?labelSelector=${encodeURIComponent(selector)}`);
const fields = (selector: string, path = configMap()): Request =>
  get(`${path}?fieldSelector=${encodeURIComponent(selector)}`);
const next =
  (limit: number, more = "") =>
  (answers: readonly Answer[]): Request =>
    get(`${configMap()}?limit=${limit}&continue=${encodeURIComponent(metadataOf(answers, "continue"))}${more}`);
/** The answers of all steps so far, by the resourceVersion that the one at `index` had. */
const since = (answers: readonly Answer[], index: number): string => metadataOf(answers, "resourceVersion", index);
const change = (name: string, labels: object): Step => mergePatch(configMap(name), { metadata: { labels } });
const future = 99_999_999_999_999;
const token = (of: object): string => Buffer.from(JSON.stringify(of)).toString("base64url");
const widget = (): string => "/apis/parity.slipway.dev/v1/namespaces/{ns}/widgets";
const widgetOf = (name: string): object => ({
  apiVersion: "parity.slipway.dev/v1",
  kind: "Widget",
  metadata: { name },
  spec: { size: 1 },
});
const initial = "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

compareServers(
  "lists and watches",
  [
    ["a list in the order of names", ...five, get(configMap())],
    ["an empty list", get(configMap()), get(deployment())],
    [
      "a list of all namespaces",
      labelled("only-here", { here: "{ns}" }),
      get("/api/v1/configmaps?labelSelector=here%3D{ns}"),
    ],
    ["pages", ...five, get(`${configMap()}?limit=2`), next(2), next(2)],
    ["a page larger than the list", ...five, get(`${configMap()}?limit=10`)],
    ["a page that ends with the list", ...five, get(`${configMap()}?limit=5`)],
    [
      "pages of a selection tell no remaining count",
      ...five,
      get(`${configMap()}?limit=1&labelSelector=even`),
      next(1, "&labelSelector=even"),
    ],
    ["a limit that is no number", get(`${configMap()}?limit=x`)],
    [
      "flags of a query mean yes but for false and 0",
      ...five.slice(0, 1),
      ...["=false", "=0", "=False"].map((value) => get(`${configMap()}?watch${value}`)),
      ...["", "=", "=1", "=yes", "=TRUE"].map((value) => watch(`${configMap()}?watch${value}`, 1)),
    ],
    [
      "a continue token together with a resourceVersion",
      ...five,
      get(`${configMap()}?limit=2`),
      next(2, "&resourceVersion=1"),
    ],
    [
      "a list not older than a version",
      ...five,
      get(`${configMap()}?resourceVersion=0`),
      (answers) => get(`${configMap()}?resourceVersion=${since(answers, 4)}&resourceVersionMatch=NotOlderThan`),
    ],
    [
      "a resourceVersionMatch without a version",
      get(`${configMap()}?resourceVersionMatch=Exact`),
      get(`${configMap()}?resourceVersionMatch=Some&resourceVersion=1`),
    ],
    ["labels that are equal", ...five, select("n=1"), select("n==1"), select("n=1,even=yes"), select("n=0,even=yes")],
    ["labels that are not equal", ...five, select("n!=1"), select("even!=yes")],
    [
      "labels in a set and not",
      ...five,
      select("n in (1, 2)"),
      select("n notin (1,2)"),
      select("n in (1),even notin (yes)"),
    ],
    ["labels that are there and that are not", ...five, select("even"), select("!even"), select("even,n=2")],
    ["labels that compare as numbers", ...five, select("n>2"), select("n<2"), select("n gt 3")],
    [
      "label selectors that do not parse",
      select("a b c"),
      select("a in"),
      select("a in ("),
      select("=b"),
      select("a=b=c"),
      select("a,,b"),
      select("!"),
      select("a>b"),
    ],
    [
      "label selectors with invalid names and values",
      select("a b=c"),
      select("a=b c"),
      select("-a=b"),
      select("a=-b"),
      select("example.com/a/b=c"),
    ],
    [
      "fields of metadata",
      ...five,
      fields("metadata.name=a"),
      fields("metadata.name!=a"),
      fields("metadata.namespace={ns}"),
      fields("metadata.name=a,metadata.namespace={ns}"),
      fields("metadata.name=nope"),
    ],
    [
      "fields that cannot be selected",
      fields("data.k=v"),
      fields("spec.replicas=1", deployment()),
      fields("metadata.labels=x", service()),
    ],
    ["field selectors that do not parse", fields("a"), fields("metadata.name"), fields("metadata.name==a,b")],
    [
      "fields of Services and Secrets",
      post(service(), { metadata: { name: "a" }, spec: { ports: [{ port: 80 }] } }),
      fields("spec.type=ClusterIP", service()),
      fields("spec.clusterIP=None", service()),
      post("/api/v1/namespaces/{ns}/secrets", { metadata: { name: "a" }, stringData: { k: "v" } }),
      fields("type=Opaque", "/api/v1/namespaces/{ns}/secrets"),
      fields("type=other", "/api/v1/namespaces/{ns}/secrets"),
    ],
    [
      "a selector by expressions, in words",
      post(
        deployment(),
        deploymentOf("a", {
          selector: {
            matchLabels: { z: "1", app: "a" },
            matchExpressions: [
              { key: "tier", operator: "In", values: ["y", "x"] },
              { key: "b", operator: "NotIn", values: ["c"] },
              { key: "stage", operator: "Exists" },
              { key: "none", operator: "DoesNotExist" },
            ],
          },
          template: {
            metadata: { labels: { app: "a", z: "1", tier: "x", stage: "s" } },
            spec: { containers: [{ name: "main", image: "example.com/main:1" }] },
          },
        }),
      ),
      get(`${deployment("a")}/scale`),
      get(deployment(), { accept: asTable }),
    ],
    [
      "a list as table",
      ...five,
      get(configMap(), { accept: asTable }),
      get(`${configMap()}?includeObject=None&limit=1`, { accept: asTable }),
      get(`${configMap()}?includeObject=Object&limit=1`, { accept: asTable }),
    ],
    [
      "an object as table",
      ...five,
      get(configMap("a"), { accept: asTable }),
      post(service(), { metadata: { name: "a" }, spec: { ports: [{ port: 80 }] } }),
      get(service("a"), { accept: asTable }),
      post(deployment(), deploymentOf("a")),
      get(deployment("a"), { accept: asTable }),
    ],
    [
      "a table that is asked for alone",
      ...five,
      get(configMap("a"), { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }),
    ],
    [
      "metadata alone",
      ...five,
      get(configMap("a"), { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" }),
      get(configMap(), { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" }),
    ],
    [
      "a watch of all that is there and comes",
      ...five.slice(0, 2),
      watch(`${configMap()}?watch=true`, 5, [change("a", { x: "1" }), remove(configMap("b")), labelled("z", {})]),
    ],
    [
      "a watch since a version tells what changed since",
      ...five.slice(0, 2),
      change("a", { x: "1" }),
      remove(configMap("b")),
      (answers) => watch(`${configMap()}?watch=true&resourceVersion=${since(answers, 1)}`, 2),
    ],
    [
      "a watch from version 0",
      ...five.slice(0, 2),
      watch(`${configMap()}?watch=true&resourceVersion=0`, 3, [change("a", { x: "1" })]),
    ],
    [
      "a watch of one object",
      ...five.slice(0, 2),
      watch(`${configMap()}?watch=true&fieldSelector=metadata.name%3Da`, 3, [
        change("b", { x: "1" }),
        change("a", { x: "1" }),
        remove(configMap("a")),
      ]),
    ],
    [
      "a watch of one object by its own path",
      ...five.slice(0, 2),
      watch(`${configMap("a")}?watch=true`, 2, [change("a", { x: "1" })]),
    ],
    [
      "a watch of a selection sees objects enter and leave",
      ...five.slice(0, 2),
      watch(`${configMap()}?watch=true&labelSelector=even%3Dyes`, 5, [
        change("b", { even: "yes" }),
        change("a", { even: "no" }),
        change("b", { even: "yes", x: "1" }),
        remove(configMap("b")),
      ]),
    ],
    [
      "a watch of a selection since a version sees what left it",
      ...five.slice(0, 2),
      change("a", { even: "no" }),
      (answers) => watch(`${configMap()}?watch=true&labelSelector=even%3Dyes&resourceVersion=${since(answers, 1)}`, 1),
    ],
    [
      "a deleted object is told with its last state",
      ...five.slice(0, 1),
      (answers) => watch(`${configMap()}?watch=true&resourceVersion=${since(answers, 0)}`, 1, [remove(configMap("a"))]),
    ],
    [
      "an object with a finalizer is modified, then deleted",
      post(configMap(), configMapOf("a", {}, { finalizers: ["example.com/x"] })),
      (answers) =>
        watch(`${configMap()}?watch=true&resourceVersion=${since(answers, 0)}`, 2, [
          remove(configMap("a")),
          mergePatch(configMap("a"), { metadata: { finalizers: null } }),
        ]),
    ],
    [
      "a write that changes nothing is not told",
      ...five.slice(0, 1),
      (answers) =>
        watch(`${configMap()}?watch=true&resourceVersion=${since(answers, 0)}`, 1, [
          change("a", { n: "0" }),
          change("a", { n: "7" }),
        ]),
    ],
    [
      "initial events end with a bookmark",
      ...five.slice(0, 2),
      watch(`${configMap()}?watch=true&${initial}`, 3),
      watch(`${configMap()}?watch=true&${initial}&resourceVersion=0`, 3),
    ],
    ["initial events of a selection", ...five, watch(`${configMap()}?watch=true&labelSelector=even&${initial}`, 4)],
    [
      "initial events demand the right options",
      watch(`${configMap()}?watch=true&sendInitialEvents=true`, 1),
      watch(
        `${configMap()}?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1&allowWatchBookmarks=true`,
        1,
      ),
      get(`${configMap()}?sendInitialEvents=true`),
    ],
    ["a watch ends at its timeout", ...five.slice(0, 1), watch(`${configMap()}?watch=true&timeoutSeconds=1`, 99)],
    ["a watch since a version that is no number", get(`${configMap()}?watch=true&resourceVersion=x`)],
    [
      "a watch as table",
      ...five.slice(0, 1),
      watch(`${configMap()}?watch=true`, 2, [change("a", { x: "1" })], { accept: asTable }),
    ],
    [
      "a watch of metadata alone",
      ...five.slice(0, 1),
      watch(`${configMap()}?watch=true`, 2, [change("a", { x: "1" })], {
        accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
      }),
    ],
    ["a watch with a selector that does not parse", get(`${configMap()}?watch=true&labelSelector=a%20b%20c`)],
    [
      "a watch of all namespaces",
      watch("/api/v1/configmaps?watch=true&labelSelector=here%3D{ns}", 1, [labelled("a", { here: "{ns}" })]),
    ],
    [
      "an apply that changes nothing is not told",
      apply(configMap("a"), "one", configMapOf("a", { k: "v" })),
      (answers) =>
        watch(`${configMap()}?watch=true&resourceVersion=${since(answers, 0)}`, 1, [
          apply(configMap("a"), "one", configMapOf("a", { k: "v" })),
          apply(configMap("a"), "one", configMapOf("a", { k: String(answered(answers)["kind"]) })),
        ]),
    ],
    [
      "pages show the state of the first",
      ...five,
      get(`${configMap()}?limit=2`),
      labelled("bb", {}),
      change("d", { x: "1" }),
      remove(configMap("e")),
      (answers) => next(2)(answers.slice(0, 6)),
      next(2),
    ],
    [
      "a list of exactly a version shows its state",
      ...five.slice(0, 3),
      change("a", { x: "1" }),
      remove(configMap("b")),
      labelled("z", {}),
      (answers) => get(`${configMap()}?resourceVersionMatch=Exact&resourceVersion=${since(answers, 2)}`),
      (answers) => get(`${configMap()}?resourceVersionMatch=Exact&limit=2&resourceVersion=${since(answers, 3)}`),
      next(2),
      (answers) =>
        get(`${configMap()}?resourceVersionMatch=Exact&labelSelector=n&resourceVersion=${since(answers, 3)}`),
    ],
    [
      "a page of a list since a version is of exactly that version",
      ...five.slice(0, 2),
      labelled("z", {}),
      (answers) => get(`${configMap()}?limit=5&resourceVersion=${since(answers, 1)}`),
      (answers) => get(`${configMap()}?limit=5&resourceVersionMatch=NotOlderThan&resourceVersion=${since(answers, 1)}`),
    ],
    ["a list from version 0 has no pages", ...five, get(`${configMap()}?limit=2&resourceVersion=0`)],
    [
      "a list of a version that is not there yet",
      get(`${configMap()}?resourceVersion=${future}`),
      get(`${configMap()}?resourceVersion=${future}&resourceVersionMatch=NotOlderThan`),
      get(`${configMap()}?resourceVersion=${future}&resourceVersionMatch=Exact`),
      get(`${configMap()}?limit=1&continue=${token({ v: "meta.k8s.io/v1", rv: future, start: "a\0" })}`),
    ],
    [
      "an object of a version that is not there yet",
      ...five.slice(0, 1),
      get(`${configMap("a")}?resourceVersion=${future}`),
      (answers) => get(`${configMap("a")}?resourceVersion=${since(answers, 0)}`),
      get(`${configMap("a")}?resourceVersion=0`),
      get(`${configMap("a")}?resourceVersion=x`),
    ],
    [
      "continue tokens that say too little",
      ...[
        { v: "v9", rv: 1, start: "a" },
        { v: "meta.k8s.io/v1", rv: 0, start: "a" },
        { v: "meta.k8s.io/v1", rv: 1 },
        { v: "meta.k8s.io/v1", rv: 1, start: "../a" },
      ].map((of) => get(`${configMap()}?limit=1&continue=${token(of)}`)),
    ],
    [
      "a continue token that leads on through the present",
      ...five,
      get(`${configMap()}?continue=${token({ v: "meta.k8s.io/v1", rv: -1, start: "b\0" })}`),
    ],
    [
      "a continue token together with a resourceVersionMatch",
      get(`${configMap()}?limit=1&continue=abc&resourceVersionMatch=Exact&resourceVersion=1`),
      get(`${configMap()}?limit=1&continue=abc&resourceVersionMatch=NotOlderThan`),
    ],
    ["exactly version 0", get(`${configMap()}?resourceVersionMatch=Exact&resourceVersion=0`)],
    [
      "a watch since a version before the kind is told that it is too old",
      watch(`${widget()}?watch=true&resourceVersion=1`, 1),
      watch(`${widget()}?watch=true&resourceVersion=1`, 1, [], { accept: asTable }),
      watch(`${widget()}?watch=true&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=1`, 9),
    ],
    [
      "initial events come also since a version that is too old",
      post(widget(), widgetOf("a")),
      watch(`${widget()}?watch=true&resourceVersion=1&${initial}`, 2),
    ],
  ],
  [
    {
      because: "a version of the future is of another run of the embedded server",
      at: ["step 1.body.events"],
      of: [
        "a watch since a version that is not there yet",
        watch(`${configMap()}?watch=true&timeoutSeconds=1&resourceVersion=${future}`, 1),
      ],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 1.body.message"],
      of: ["a continue token that is none", get(`${configMap()}?limit=1&continue=nonsense`)],
    },
    {
      because: "answers are JSON only",
      at: ["step 1.body.message", "step 1.body.details"],
      of: [
        "a table of a version that there is not",
        get(configMap(), { accept: "application/json;as=Table;v=v9;g=meta.k8s.io" }),
      ],
    },
  ],
  [post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetDefinition), get(widget())],
);
