import { compareServers } from "../compare.ts";
import {
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  jsonPatch,
  mergePatch,
  post,
  service,
  strategicPatch,
} from "../request.ts";

const made = post(configMap(), configMapOf("a", { k: "v", l: "w" }, { labels: { x: "1" } }));
const workload = post(deployment(), deploymentOf("a"));
const containers = (...items: object[]): object => ({ spec: { template: { spec: { containers: items } } } });
const ports = (...items: object[]): object => ({ spec: { ports: items } });
const exposed = post(service(), {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "a" },
  spec: {
    selector: { app: "a" },
    ports: [
      { name: "http", port: 80 },
      { name: "metrics", port: 81 },
    ],
  },
});

compareServers(
  "patches",
  [
    [
      "a merge patch sets, changes and removes fields",
      made,
      mergePatch(configMap("a"), { data: { k: "x", l: null, m: "y" } }),
    ],
    [
      "a merge patch that changes nothing keeps the resourceVersion",
      made,
      mergePatch(configMap("a"), { data: { k: "v" } }),
      get(configMap("a")),
    ],
    ["a merge patch replaces lists", exposed, mergePatch(service("a"), ports({ name: "web", port: 8080 }))],
    ["a merge patch removes a whole map", made, mergePatch(configMap("a"), { data: null, metadata: { labels: null } })],
    [
      "a merge patch with unknown fields",
      made,
      mergePatch(configMap("a"), { dota: { a: "b" } }),
      mergePatch(`${configMap("a")}?fieldValidation=Strict`, { dota: { a: "b" } }),
    ],
    [
      "a merge patch of the wrong type",
      made,
      mergePatch(configMap("a"), { data: { k: 1 } }),
      mergePatch(configMap("a"), { data: [] }),
    ],
    ["a merge patch of the name", made, mergePatch(configMap("a"), { metadata: { name: "b" } })],
    ["a merge patch of the namespace", made, mergePatch(configMap("a"), { metadata: { namespace: "b" } })],
    [
      "a merge patch of the uid",
      made,
      mergePatch(configMap("a"), { metadata: { uid: "11111111-1111-1111-1111-111111111111" } }),
    ],
    [
      "a merge patch of the creation time",
      made,
      mergePatch(configMap("a"), { metadata: { creationTimestamp: "2020-01-01T00:00:00Z" } }),
    ],
    [
      "a merge patch of status through the main endpoint",
      workload,
      mergePatch(deployment("a"), { status: { replicas: 7 } }),
    ],
    [
      "a merge patch through status",
      workload,
      mergePatch(`${deployment("a")}/status`, {
        status: { replicas: 7 },
        spec: { replicas: 9 },
        metadata: { labels: { x: "y" }, annotations: { p: "q" } },
      }),
    ],
    [
      "a JSON patch adds, replaces, removes, moves and copies",
      made,
      jsonPatch(configMap("a"), [
        { op: "add", path: "/data/m", value: "x" },
        { op: "replace", path: "/data/k", value: "y" },
        { op: "remove", path: "/data/l" },
        { op: "copy", from: "/data/k", path: "/data/n" },
        { op: "move", from: "/data/m", path: "/data/o" },
      ]),
    ],
    [
      "a JSON patch whose test holds",
      made,
      jsonPatch(configMap("a"), [
        { op: "test", path: "/data/k", value: "v" },
        { op: "replace", path: "/data/k", value: "y" },
      ]),
    ],
    [
      "a JSON patch whose test fails",
      made,
      jsonPatch(configMap("a"), [
        { op: "test", path: "/data/k", value: "z" },
        { op: "replace", path: "/data/k", value: "y" },
      ]),
      get(configMap("a")),
    ],
    [
      "a JSON patch that removes what is not there",
      made,
      jsonPatch(configMap("a"), [{ op: "remove", path: "/data/z" }]),
    ],
    [
      "a JSON patch that replaces what is not there",
      made,
      jsonPatch(configMap("a"), [{ op: "replace", path: "/data/z", value: "x" }]),
    ],
    [
      "a JSON patch that adds below what is not there",
      made,
      jsonPatch(configMap("a"), [{ op: "add", path: "/metadata/annotations/a", value: "x" }]),
    ],
    [
      "a JSON patch of escaped names",
      made,
      jsonPatch(configMap("a"), [{ op: "add", path: "/metadata/labels/example.com~1tier", value: "x" }]),
    ],
    [
      "a JSON patch of list items",
      exposed,
      jsonPatch(service("a"), [
        { op: "add", path: "/spec/ports/-", value: { name: "web", port: 8080 } },
        { op: "remove", path: "/spec/ports/0" },
      ]),
    ],
    [
      "a JSON patch of a list item that is not there",
      exposed,
      jsonPatch(service("a"), [{ op: "replace", path: "/spec/ports/7/port", value: 1 }]),
    ],
    ["a JSON patch of an unknown operation", made, jsonPatch(configMap("a"), [{ op: "turn", path: "/data/k" }])],
    ["an empty JSON patch", made, jsonPatch(configMap("a"), [])],
    [
      "a strategic patch merges containers by name",
      workload,
      strategicPatch(
        deployment("a"),
        containers({ name: "side", image: "example.com/side:1" }, { name: "main", image: "example.com/main:2" }),
      ),
    ],
    [
      "a strategic patch deletes a container",
      workload,
      strategicPatch(deployment("a"), containers({ name: "side", image: "example.com/side:1" })),
      strategicPatch(deployment("a"), containers({ name: "side", $patch: "delete" })),
    ],
    [
      "a strategic patch replaces a list",
      workload,
      strategicPatch(deployment("a"), containers({ $patch: "replace" }, { name: "new", image: "example.com/new:1" })),
    ],
    ["a strategic patch replaces a map", made, strategicPatch(configMap("a"), { data: { $patch: "replace", z: "y" } })],
    [
      "a strategic patch orders a list",
      exposed,
      strategicPatch(service("a"), { spec: { "$setElementOrder/ports": [{ port: 81 }, { port: 80 }] } }),
      strategicPatch(service("a"), ports({ port: 82, name: "third" })),
    ],
    [
      "a strategic patch removes values of a list",
      post(configMap(), configMapOf("a", {}, { finalizers: ["example.com/x", "example.com/y"] })),
      strategicPatch(configMap("a"), { metadata: { "$deleteFromPrimitiveList/finalizers": ["example.com/x"] } }),
      strategicPatch(configMap("a"), { metadata: { finalizers: ["example.com/z"] } }),
    ],
    [
      "a strategic patch of a list item without its key",
      workload,
      strategicPatch(deployment("a"), containers({ image: "example.com/x:1" })),
    ],
    [
      "a strategic patch with $retainKeys",
      workload,
      strategicPatch(deployment("a"), { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }),
    ],
    [
      "a strategic patch removes fields by null",
      workload,
      strategicPatch(deployment("a"), {
        spec: { template: { spec: { terminationGracePeriodSeconds: null } }, replicas: null },
      }),
    ],
    [
      "a strategic patch of an atomic list",
      workload,
      strategicPatch(deployment("a"), containers({ name: "main", command: ["a", "b"] })),
      strategicPatch(deployment("a"), containers({ name: "main", command: ["c"] })),
    ],
    [
      "a strategic patch of environment variables",
      workload,
      strategicPatch(
        deployment("a"),
        containers({
          name: "main",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "2" },
          ],
        }),
      ),
      strategicPatch(
        deployment("a"),
        containers({
          name: "main",
          env: [
            { name: "B", value: "3" },
            { name: "A", $patch: "delete" },
          ],
        }),
      ),
    ],
    ["a strategic patch of an unknown directive", made, strategicPatch(configMap("a"), { data: { $patch: "turn" } })],
    [
      "a patch of a type that there is not",
      made,
      { method: "PATCH", path: configMap("a"), body: {}, type: "application/json" },
      { method: "PATCH", path: configMap("a"), body: {}, type: "text/plain" },
    ],
    ["force is for apply only", made, mergePatch(`${configMap("a")}?force=true`, { data: {} })],
    [
      "a patch by a manager of a name",
      made,
      mergePatch(`${configMap("a")}?fieldManager=somebody`, { data: { k: "x" } }),
      mergePatch(configMap("a"), { data: { l: "x" } }, { agent: "Mozilla/5.0 (X11)" }),
    ],
    [
      "the manager's name of a client without one",
      made,
      mergePatch(configMap("a"), { data: { l: "x" } }, { agent: "curl" }),
    ],
    [
      "a patch that makes the object invalid",
      made,
      mergePatch(configMap("a"), { metadata: { labels: { "a b": "c" } } }),
      strategicPatch(configMap("a"), { data: { "a b": "c" } }),
    ],
    [
      "a scale is read, patched and replaced",
      workload,
      get(`${deployment("a")}/scale`),
      mergePatch(`${deployment("a")}/scale`, { spec: { replicas: 3 } }),
      jsonPatch(`${deployment("a")}/scale`, [{ op: "replace", path: "/spec/replicas", value: 4 }]),
      get(deployment("a")),
    ],
    ["a negative scale", workload, mergePatch(`${deployment("a")}/scale`, { spec: { replicas: -1 } })],
    ["a scale of what has none", made, get(`${configMap("a")}/scale`), get(`${configMap("a")}/status`)],
  ],
  [
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 2.body.message"],
      of: ["a merge patch that is a list", made, mergePatch(configMap("a"), [])],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 2.body.message"],
      of: ["a patch that is no JSON", made, mergePatch(configMap("a"), "{")],
    },
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 2.body.message"],
      of: ["a JSON patch that is no list", made, jsonPatch(configMap("a"), { op: "add" })],
    },
  ],
);
