import { compareServers } from "../compare.ts";
import {
  answered,
  configMap,
  configMapOf,
  get,
  mergePatch,
  metadataOf,
  post,
  put,
  remove,
  service,
} from "../request.ts";

compareServers(
  "objects",
  [
    ["a ConfigMap is created and read", post(configMap(), configMapOf("a", { k: "v" })), get(configMap("a"))],
    [
      "an object that is there cannot be created again",
      post(configMap(), configMapOf("a")),
      post(configMap(), configMapOf("a")),
    ],
    ["generateName makes a name", post(configMap(), { metadata: { generateName: "made-" } })],
    [
      "a name that is given wins over generateName",
      post(configMap(), { metadata: { name: "given", generateName: "made-" } }),
    ],
    [
      "an object that is not there",
      get(configMap("nope")),
      remove(configMap("nope")),
      put(configMap("nope"), configMapOf("nope")),
    ],
    ["a merge patch of an object that is not there", mergePatch(configMap("nope"), { data: { a: "1" } })],
    ["a kind that is not there", get("/api/v1/namespaces/{ns}/foos"), post("/api/v1/namespaces/{ns}/foos", {})],
    ["a group that is not there", get("/apis/example.com/v1/namespaces/{ns}/foos"), get("/apis/example.com/v1")],
    ["a version that is not there", get("/apis/apps/v9/namespaces/{ns}/deployments")],
    [
      "a namespace that is not there",
      post("/api/v1/namespaces/nope-nope/configmaps", configMapOf("a")),
      get("/api/v1/namespaces/nope-nope/configmaps/a"),
      get("/api/v1/namespaces/nope-nope/configmaps"),
    ],
    ["another namespace in the body", post(configMap(), configMapOf("a", {}, { namespace: "other" }))],
    ["another name in the body", post(configMap(), configMapOf("a")), put(configMap("a"), configMapOf("b"))],
    ["another kind in the body", post(configMap(), { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } })],
    ["a body without a kind", post(configMap(), { metadata: { name: "a" } }), get(configMap("a"))],
    [
      "a PUT replaces",
      post(configMap(), configMapOf("a", { k: "v" })),
      put(configMap("a"), configMapOf("a", { l: "w" })),
    ],
    [
      "a PUT that changes nothing keeps the resourceVersion",
      post(configMap(), configMapOf("a", { k: "v" })),
      (answers) => put(configMap("a"), answered(answers)),
      get(configMap("a")),
    ],
    [
      "a PUT of an old state is a conflict",
      post(configMap(), configMapOf("a")),
      put(configMap("a"), configMapOf("a", { k: "v" })),
      (answers) => put(configMap("a"), { ...answered(answers, 0), data: { k: "w" } }),
    ],
    ["a dry run creates nothing", post(`${configMap()}?dryRun=All`, configMapOf("a", { k: "v" })), get(configMap("a"))],
    [
      "a dry run of an update, a patch and a deletion changes nothing",
      post(configMap(), configMapOf("a", { k: "v" })),
      put(`${configMap("a")}?dryRun=All`, configMapOf("a", { l: "w" })),
      mergePatch(`${configMap("a")}?dryRun=All`, { data: { m: "x" } }),
      remove(`${configMap("a")}?dryRun=All`),
      get(configMap("a")),
    ],
    ["a dry run of another kind", post(`${configMap()}?dryRun=Some`, configMapOf("a"))],
    [
      "a method that the collection does not have",
      put(configMap(), configMapOf("a")),
      { method: "PATCH", path: configMap(), body: {}, type: "application/merge-patch+json" },
    ],
    ["a method that the object does not have", post(configMap("a"), configMapOf("a"))],
    [
      "a body of an unknown type",
      post(configMap(), "x", { type: "text/plain" }),
      put(configMap("a"), "x", { type: "application/xml" }),
    ],
    [
      "a body in YAML",
      post(configMap(), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n", {
        type: "application/yaml",
      }),
    ],
    [
      "unknown fields are warned of",
      post(configMap(), { ...configMapOf("a"), dota: { k: "v" }, more: 1 }),
      get(configMap("a")),
    ],
    [
      "unknown fields are refused when strict",
      post(`${configMap()}?fieldValidation=Strict`, { ...configMapOf("a"), dota: {} }),
    ],
    [
      "unknown fields are dropped silently when ignored",
      post(`${configMap()}?fieldValidation=Ignore`, { ...configMapOf("a"), dota: {} }),
    ],
    ["a fieldValidation that there is not", post(`${configMap()}?fieldValidation=Maybe`, configMapOf("a"))],
    [
      "a value of the wrong type",
      post(configMap(), configMapOf("a", { k: 1 })),
      post(service(), { metadata: { name: "s" }, spec: { ports: [{ port: "x" }] } }),
    ],
    [
      "a server's fields are the server's",
      post(
        configMap(),
        configMapOf(
          "a",
          {},
          {
            uid: "11111111-1111-1111-1111-111111111111",
            creationTimestamp: "2020-01-01T00:00:00Z",
            generation: 7,
            selfLink: "x",
            resourceVersion: "",
          },
        ),
      ),
    ],
    ["a creation with a resourceVersion", post(configMap(), configMapOf("a", {}, { resourceVersion: "7" }))],
    [
      "a PATCH with the resourceVersion that is there",
      post(configMap(), configMapOf("a")),
      (answers) =>
        mergePatch(configMap("a"), {
          metadata: { resourceVersion: metadataOf(answers, "resourceVersion") },
          data: { k: "v" },
        }),
      mergePatch(configMap("a"), { metadata: { resourceVersion: "1" }, data: { k: "w" } }),
    ],
  ],
  [
    {
      because: "a built-in kind's message names where its Go source registers kinds",
      at: ["step 1.body.message"],
      of: [
        "another version in the body",
        post(configMap(), { apiVersion: "v2", kind: "ConfigMap", metadata: { name: "a" } }),
      ],
    },
    {
      because: "the message names etcd's key",
      at: ["step 2.body.message"],
      of: [
        "a PUT with another uid is a conflict",
        post(configMap(), configMapOf("a")),
        put(configMap("a"), configMapOf("a", {}, { uid: "11111111-1111-1111-1111-111111111111" })),
      ],
    },
    {
      because: "answers are JSON only",
      at: ["step 1.body.message", "step 2.body.message"],
      of: [
        "an answer in a form that there is not",
        get(configMap(), { accept: "text/plain" }),
        get(configMap("a"), { accept: "image/png" }),
      ],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 1.body.message"],
      of: ["a body that is no JSON", post(configMap(), "{")],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 1.body.message"],
      of: ["an empty body", post(configMap(), "")],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 1.body.message"],
      of: ["a list as body", post(configMap(), [])],
    },
    {
      because: "a field that stands twice in JSON counts as its last",
      at: ["step 1.headers.warnings"],
      of: [
        "a field twice is warned of",
        post(configMap(), `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v","k":"w"}}`),
      ],
    },
    {
      because: "a field that stands twice in JSON counts as its last",
      at: ["step 1.code", "step 1.body"],
      of: [
        "a field twice is refused when strict",
        post(
          `${configMap()}?fieldValidation=Strict`,
          `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"},"data":{"k":"w"}}`,
        ),
      ],
    },
  ],
);
