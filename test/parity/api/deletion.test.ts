import { compareServers } from "../compare.ts";
import {
  apply,
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  jsonPatch,
  mergePatch,
  metadataOf,
  podOf,
  post,
  put,
  remove,
  service,
} from "../request.ts";
import type { Step } from "../request.ts";

const made = post(configMap(), configMapOf("a", { k: "v" }));
const held = post(configMap(), configMapOf("a", { k: "v" }, { finalizers: ["example.com/x"] }));
const workload = post(deployment(), deploymentOf("a"));
const labelled = (name: string, labels: object): Step => post(configMap(), configMapOf(name, {}, { labels }));
const options = (more: object): object => ({ apiVersion: "v1", kind: "DeleteOptions", ...more });

compareServers(
  "deletion",
  [
    ["an object is gone at once", made, remove(configMap("a")), get(configMap("a")), remove(configMap("a"))],
    [
      "a Deployment and a Service are gone at once",
      workload,
      remove(deployment("a")),
      post(service(), { metadata: { name: "a" }, spec: { ports: [{ port: 80 }] } }),
      remove(service("a")),
    ],
    [
      "an object with a finalizer is kept until it is taken off",
      held,
      remove(configMap("a")),
      get(configMap("a")),
      mergePatch(configMap("a"), { metadata: { finalizers: null } }),
      get(configMap("a")),
    ],
    [
      "an object that is being deleted is deleted again without effect",
      held,
      remove(configMap("a")),
      remove(configMap("a")),
    ],
    [
      "an object that is being deleted takes no new finalizers",
      held,
      remove(configMap("a")),
      mergePatch(configMap("a"), { metadata: { finalizers: ["example.com/x", "example.com/y"] } }),
      mergePatch(configMap("a"), { metadata: { finalizers: ["example.com/y"] } }),
    ],
    [
      "an object that is being deleted may be changed otherwise",
      held,
      remove(configMap("a")),
      mergePatch(configMap("a"), { data: { k: "w" } }),
      jsonPatch(configMap("a"), [{ op: "remove", path: "/metadata/deletionTimestamp" }]),
      get(configMap("a")),
    ],
    ["an object that is being deleted cannot be made again", held, remove(configMap("a")), made],
    [
      "the last finalizer is taken off by a PUT, too",
      held,
      remove(configMap("a")),
      put(configMap("a"), configMapOf("a", { k: "v" })),
      get(configMap("a")),
    ],
    [
      "the last finalizer is taken off by an apply, too",
      apply(configMap("a"), "one", configMapOf("a", {}, { finalizers: ["example.com/x"] })),
      remove(configMap("a")),
      apply(configMap("a"), "one", configMapOf("a")),
      get(configMap("a")),
    ],
    [
      "a finalizer that is no qualified name",
      post(configMap(), configMapOf("a", {}, { finalizers: ["x"] })),
      post(configMap(), configMapOf("b", {}, { finalizers: ["a b/c"] })),
    ],
    [
      "the uid is a precondition",
      made,
      remove(configMap("a"), options({ preconditions: { uid: "11111111-1111-1111-1111-111111111111" } })),
      (answers) => remove(configMap("a"), options({ preconditions: { uid: metadataOf(answers, "uid", 0) } })),
    ],
    [
      "the resourceVersion is a precondition",
      made,
      remove(configMap("a"), options({ preconditions: { resourceVersion: "1" } })),
      (answers) =>
        remove(
          configMap("a"),
          options({ preconditions: { resourceVersion: metadataOf(answers, "resourceVersion", 0) } }),
        ),
    ],
    [
      "a Deployment's preconditions",
      workload,
      remove(deployment("a"), options({ preconditions: { uid: "11111111-1111-1111-1111-111111111111" } })),
    ],
    [
      "in the foreground the object waits for its dependents",
      workload,
      remove(deployment("a"), options({ propagationPolicy: "Foreground" })),
      get(deployment("a")),
    ],
    [
      "orphaning, the object waits until its dependents are free",
      workload,
      remove(deployment("a"), options({ propagationPolicy: "Orphan" })),
      get(deployment("a")),
    ],
    [
      "in the background the object is gone",
      workload,
      remove(deployment("a"), options({ propagationPolicy: "Background" })),
      get(deployment("a")),
    ],
    ["the propagation policy may stand in the query", workload, remove(`${deployment("a")}?propagationPolicy=Orphan`)],
    [
      "a propagation policy that there is not",
      made,
      remove(configMap("a"), options({ propagationPolicy: "Sometimes" })),
      remove(`${configMap("a")}?propagationPolicy=Sometimes`),
    ],
    [
      "a propagation policy and orphanDependents",
      made,
      remove(configMap("a"), options({ propagationPolicy: "Orphan", orphanDependents: true })),
    ],
    ["orphanDependents of old", made, remove(configMap("a"), options({ orphanDependents: true })), get(configMap("a"))],
    [
      "a policy changes while the deletion goes on",
      workload,
      remove(deployment("a"), options({ propagationPolicy: "Orphan" })),
      remove(deployment("a"), options({ propagationPolicy: "Foreground" })),
      remove(deployment("a"), options({ propagationPolicy: "Background" })),
      get(deployment("a")),
    ],
    [
      "a dry run says what would be gone",
      made,
      remove(configMap("a"), options({ dryRun: ["All"] })),
      get(configMap("a")),
      remove(configMap("a"), options({ dryRun: ["Some"] })),
    ],
    ["a dry run of an object with a finalizer", held, remove(`${configMap("a")}?dryRun=All`), get(configMap("a"))],
    [
      "a grace period of a ConfigMap is none",
      made,
      remove(configMap("a"), options({ gracePeriodSeconds: 30 })),
      get(configMap("a")),
    ],
    [
      "a grace period and flags in the query",
      made,
      remove(`${configMap("a")}?gracePeriodSeconds=abc`),
      remove(`${configMap("a")}?orphanDependents=yes`),
      get(configMap("a")),
    ],
    ["a negative grace period", made, remove(configMap("a"), options({ gracePeriodSeconds: -1 }))],
    ["a collection", labelled("a", {}), labelled("b", {}), remove(configMap()), get(configMap())],
    [
      "a selection of a collection",
      labelled("a", { x: "1" }),
      labelled("b", { x: "2" }),
      remove(`${configMap()}?labelSelector=x%3D1`),
      get(configMap()),
    ],
    [
      "a collection by field",
      labelled("a", {}),
      labelled("b", {}),
      remove(`${configMap()}?fieldSelector=metadata.name%3Da`),
      get(configMap()),
    ],
    ["a collection with finalizers", held, labelled("b", {}), remove(configMap()), get(configMap())],
    ["a collection as a dry run", labelled("a", {}), remove(`${configMap()}?dryRun=All`), get(configMap())],
    [
      "a pod that no node has is gone at once",
      post("/api/v1/namespaces/{ns}/pods", podOf("a")),
      remove("/api/v1/namespaces/{ns}/pods/a"),
      get("/api/v1/namespaces/{ns}/pods/a"),
    ],
    [
      "a pod that a node has is given time",
      post("/api/v1/namespaces/{ns}/pods", podOf("a", { nodeName: "nowhere" })),
      remove("/api/v1/namespaces/{ns}/pods/a"),
      remove("/api/v1/namespaces/{ns}/pods/a", options({ gracePeriodSeconds: 5 })),
      remove("/api/v1/namespaces/{ns}/pods/a", options({ gracePeriodSeconds: 0 })),
      get("/api/v1/namespaces/{ns}/pods/a"),
    ],
    ["a collection that is empty", remove(configMap())],
    ["a collection of a kind that has none", remove("/api/v1/namespaces")],
    [
      "an owner that does not exist is no obstacle",
      post(
        configMap(),
        configMapOf(
          "a",
          {},
          {
            ownerReferences: [
              { apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: "11111111-1111-1111-1111-111111111111" },
            ],
          },
        ),
      ),
      get(configMap("a")),
    ],
    [
      "owners without name or uid",
      post(configMap(), configMapOf("a", {}, { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap" }] })),
    ],
    [
      "two controllers",
      post(
        configMap(),
        configMapOf(
          "a",
          {},
          {
            ownerReferences: ["1", "2"].map((digit) => ({
              apiVersion: "v1",
              kind: "ConfigMap",
              name: `owner-${digit}`,
              uid: `${digit.repeat(8)}-1111-1111-1111-111111111111`,
              controller: true,
            })),
          },
        ),
      ),
    ],
    [
      "a namespace is marked and takes nothing new",
      remove("/api/v1/namespaces/{ns}"),
      get("/api/v1/namespaces/{ns}"),
      made,
      apply(configMap("b"), "one", configMapOf("b")),
    ],
    [
      "a namespace goes with its last finalizer",
      remove("/api/v1/namespaces/{ns}"),
      put("/api/v1/namespaces/{ns}/finalize", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "{ns}" },
        spec: { finalizers: [] },
      }),
      get("/api/v1/namespaces/{ns}"),
    ],
  ],
  [
    {
      because: "Go's JSON parser has words of its own",
      at: ["step 2.body.message"],
      of: ["options that are no JSON", made, remove(configMap("a"), "{")],
    },
  ],
);
