import { compareServers } from "../compare.ts";
import {
  answered,
  apply,
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  jsonPatch,
  mergePatch,
  metadataOf,
  post,
  put,
  service,
} from "../request.ts";

const data = (values: object, metadata: object = {}): object => configMapOf("a", values, metadata);
const container = (name: string, more: object = {}): object => ({ name, image: `example.com/${name}:1`, ...more });
const workload = (spec: object): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "a" },
  spec,
});
const template = (containers: object[], metadata: object = { labels: { app: "a" } }): object => ({
  selector: { matchLabels: { app: "a" } },
  template: { metadata, spec: { containers } },
});
const withPorts = (...ports: object[]): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "a" },
  spec: { selector: { app: "a" }, ports },
});
const status = (value: object): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "a" },
  status: value,
});
const finalizers = (...names: string[]): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", finalizers: names },
});
const owner = (name: string): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  name,
  uid: `${name.repeat(8)}-1111-1111-1111-111111111111`,
});

compareServers(
  "server-side apply",
  [
    ["creates what is not there", apply(configMap("a"), "one", data({ k: "v" })), get(configMap("a"))],
    [
      "of the same again changes nothing",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "v" })),
    ],
    [
      "removes the field that is no longer applied",
      apply(configMap("a"), "one", data({ k: "v", l: "w" })),
      apply(configMap("a"), "one", data({ k: "v" })),
    ],
    [
      "removes the whole map that is no longer applied",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", configMapOf("a")),
    ],
    [
      "removes labels and annotations that are no longer applied",
      apply(configMap("a"), "one", data({}, { labels: { x: "1", y: "2" }, annotations: { p: "q" } })),
      apply(configMap("a"), "one", data({}, { labels: { x: "1" } })),
    ],
    [
      "of another value is a conflict",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "two", data({ k: "w" })),
    ],
    [
      "of several other values is one refusal that names each",
      apply(configMap("a"), "one", data({ k: "v", l: "v" }, { labels: { x: "1" } })),
      apply(configMap("a"), "two", data({ k: "w", l: "w" }, { labels: { x: "2" } })),
    ],
    [
      "conflicts with several managers",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "two", data({ l: "v" })),
      apply(configMap("a"), "three", data({ k: "w", l: "w" })),
    ],
    [
      "by force takes the fields",
      apply(configMap("a"), "one", data({ k: "v", l: "w" })),
      apply(configMap("a"), "two", data({ k: "w" }), "force=true"),
      get(configMap("a")),
    ],
    [
      "of the same value shares the field",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "two", data({ k: "v" })),
    ],
    [
      "keeps a shared field until its last owner lets go",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "two", data({ k: "v" })),
      apply(configMap("a"), "one", data({})),
      apply(configMap("a"), "two", data({})),
    ],
    [
      "of a shared field with a new value conflicts with the others",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "two", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "w" })),
    ],
    [
      "conflicts with who updated the field",
      apply(configMap("a"), "one", data({ k: "v" })),
      mergePatch(`${configMap("a")}?fieldManager=editor`, { data: { k: "w" } }),
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "v" }), "force=true"),
    ],
    [
      "after a creation shares what is equal and conflicts where it differs",
      post(`${configMap()}?fieldManager=maker`, data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "w" })),
    ],
    [
      "gives the field to who updates it afterwards",
      apply(configMap("a"), "one", data({ k: "v" })),
      (answers) => put(`${configMap("a")}?fieldManager=editor`, { ...answered(answers), data: { k: "w", l: "x" } }),
    ],
    [
      "loses the field that another deletes",
      apply(configMap("a"), "one", data({ k: "v", l: "w" })),
      jsonPatch(`${configMap("a")}?fieldManager=editor`, [{ op: "remove", path: "/data/k" }]),
      apply(configMap("a"), "one", data({ l: "w" })),
    ],
    [
      "of an object that nobody manages leaves the rest to before-first-apply",
      post(`${configMap()}?fieldManager=maker`, data({ k: "v" })),
      jsonPatch(configMap("a"), [{ op: "replace", path: "/metadata/managedFields", value: [{}] }]),
      apply(configMap("a"), "one", data({ k: "w" })),
      apply(configMap("a"), "one", data({ k: "w" }), "force=true"),
    ],
    [
      "a managed object is no longer tracked once its managers are taken away",
      post(configMap(), data({ k: "v" })),
      jsonPatch(configMap("a"), [{ op: "replace", path: "/metadata/managedFields", value: [{}] }]),
      mergePatch(configMap("a"), { data: { l: "w" } }),
    ],
    [
      "managers may be renamed by a patch",
      post(`${configMap()}?fieldManager=maker`, data({ k: "v" })),
      jsonPatch(configMap("a"), [{ op: "replace", path: "/metadata/managedFields/0/manager", value: "other" }]),
      jsonPatch(configMap("a"), [{ op: "replace", path: "/metadata/managedFields/0/operation", value: "Apply" }]),
    ],
    [
      "as a dry run changes nothing",
      apply(configMap("a"), "one", data({ k: "v" }), "dryRun=All"),
      get(configMap("a")),
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "w" }), "dryRun=All"),
      get(configMap("a")),
    ],
    [
      "needs a manager",
      { method: "PATCH", path: configMap("a"), body: data({}), type: "application/apply-patch+yaml" },
    ],
    ["takes no managedFields", apply(configMap("a"), "one", data({}, { managedFields: [{ manager: "x" }] }))],
    [
      "takes no other name, kind or namespace",
      apply(configMap("a"), "one", configMapOf("b")),
      apply(configMap("a"), "one", { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } }),
      apply(configMap("a"), "one", data({}, { namespace: "other" })),
    ],
    ["needs apiVersion and kind", apply(configMap("a"), "one", { metadata: { name: "a" } })],
    [
      "takes the name from the URL",
      apply(configMap("a"), "one", { apiVersion: "v1", kind: "ConfigMap", data: { k: "v" } }),
    ],
    [
      "refuses unknown fields",
      apply(configMap("a"), "one", { ...data({}), dota: {} }),
      apply(deployment("a"), "one", workload({ ...template([container("c")]), replica: 1 })),
    ],
    [
      "refuses a value of the wrong type",
      apply(configMap("a"), "one", data({ k: 1 })),
      apply(deployment("a"), "one", workload({ replicas: "x" })),
    ],
    [
      "with a resourceVersion demands that version",
      apply(configMap("a"), "one", data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "w" }, { resourceVersion: "1" })),
      (answers) =>
        apply(configMap("a"), "one", data({ k: "w" }, { resourceVersion: metadataOf(answers, "resourceVersion", 0) })),
    ],
    [
      "with a resourceVersion does not create",
      apply(configMap("a"), "one", data({ k: "v" }, { resourceVersion: "1" })),
    ],
    [
      "with a uid does not create",
      apply(configMap("a"), "one", data({ k: "v" }, { uid: "11111111-1111-1111-1111-111111111111" })),
    ],
    ["of YAML", apply(configMap("a"), "one", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: v\n")],
    [
      "of null takes the field as such",
      apply(configMap("a"), "one", { ...data({ k: "v" }), binaryData: null }),
      apply(configMap("a"), "one", { ...data({}), data: null }),
    ],
    ["creates a Deployment with its defaults", apply(deployment("a"), "one", deploymentOf("a"))],
    [
      "merges containers by name",
      apply(deployment("a"), "one", workload(template([container("c")]))),
      apply(deployment("a"), "two", workload({ template: { spec: { containers: [container("side")] } } })),
    ],
    [
      "of another image of the same container is a conflict",
      apply(deployment("a"), "one", workload(template([container("c")]))),
      apply(
        deployment("a"),
        "two",
        workload({ template: { spec: { containers: [container("c", { image: "example.com/c:2" })] } } }),
      ),
    ],
    [
      "removes a container that only it applied",
      apply(deployment("a"), "one", workload(template([container("c"), container("d")]))),
      apply(deployment("a"), "one", workload(template([container("c")]))),
    ],
    [
      "keeps what others put into its container",
      apply(deployment("a"), "one", workload(template([container("c")]))),
      apply(
        deployment("a"),
        "two",
        workload({ template: { spec: { containers: [{ name: "c", env: [{ name: "X", value: "1" }] }] } } }),
      ),
      apply(deployment("a"), "one", workload(template([container("c", { ports: [{ containerPort: 80 }] })]))),
    ],
    [
      "removes a container whose part another owns only in its own part",
      apply(deployment("a"), "one", workload(template([container("c"), container("d")]))),
      apply(
        deployment("a"),
        "two",
        workload({
          template: {
            spec: { containers: [{ name: "d", image: "example.com/d:1", env: [{ name: "X", value: "1" }] }] },
          },
        }),
      ),
      apply(deployment("a"), "one", workload(template([container("c")]))),
    ],
    [
      "orders containers as they are applied",
      apply(deployment("a"), "one", workload(template([container("c"), container("d"), container("e")]))),
      apply(deployment("a"), "one", workload(template([container("e"), container("c"), container("d")]))),
    ],
    [
      "replaces an atomic list",
      apply(deployment("a"), "one", workload(template([container("c", { command: ["a", "b"] })]))),
      apply(deployment("a"), "two", workload({ template: { spec: { containers: [{ name: "c", command: ["x"] }] } } })),
      apply(deployment("a"), "one", workload(template([container("c", { command: ["b"] })]))),
    ],
    [
      "owns an atomic map as a whole",
      apply(deployment("a"), "one", workload(template([container("c")]))),
      apply(deployment("a"), "two", workload({ selector: { matchLabels: { app: "b" } } })),
    ],
    [
      "merges ports by number and protocol",
      apply(service("a"), "one", withPorts({ name: "http", port: 80 })),
      apply(service("a"), "two", withPorts({ name: "metrics", port: 81, protocol: "UDP" })),
      apply(service("a"), "one", withPorts({ name: "http", port: 80, targetPort: 8080 })),
      apply(service("a"), "one", withPorts({ name: "web", port: 8080 })),
    ],
    [
      "of a list with the same key twice",
      apply(service("a"), "one", withPorts({ name: "http", port: 80 }, { name: "web", port: 80 })),
      apply(deployment("a"), "one", workload(template([container("c"), container("c")]))),
    ],
    ["of a list item without its key", apply(deployment("a"), "one", workload(template([{ image: "x" }])))],
    [
      "merges finalizers as a set",
      apply(configMap("a"), "one", finalizers("example.com/x")),
      apply(configMap("a"), "two", finalizers("example.com/y")),
      apply(configMap("a"), "one", finalizers("example.com/z")),
    ],
    ["of a finalizer twice", apply(configMap("a"), "one", finalizers("example.com/x", "example.com/x"))],
    [
      "merges owners by uid",
      apply(configMap("a"), "one", configMapOf("a", {}, { ownerReferences: [owner("b")] })),
      apply(configMap("a"), "two", configMapOf("a", {}, { ownerReferences: [owner("c")] })),
      apply(configMap("a"), "one", configMapOf("a")),
    ],
    [
      "of replicas conflicts with the scale subresource",
      apply(deployment("a"), "one", deploymentOf("a", { replicas: 2 })),
      mergePatch(`${deployment("a")}/scale?fieldManager=scaler`, { spec: { replicas: 3 } }),
      apply(deployment("a"), "one", deploymentOf("a", { replicas: 2 })),
      apply(deployment("a"), "one", deploymentOf("a")),
    ],
    [
      "without replicas after a scale leaves them to the scaler",
      apply(deployment("a"), "one", deploymentOf("a", { replicas: 2 })),
      mergePatch(`${deployment("a")}/scale?fieldManager=scaler`, { spec: { replicas: 2 } }),
      apply(deployment("a"), "one", deploymentOf("a")),
      get(deployment("a")),
    ],
    [
      "of status through the main endpoint changes nothing",
      apply(deployment("a"), "one", { ...deploymentOf("a"), status: { replicas: 3 } }),
    ],
    [
      "of status has managers of its own",
      apply(deployment("a"), "one", deploymentOf("a")),
      apply(`${deployment("a")}/status`, "one", status({ replicas: 2, readyReplicas: 1 })),
      apply(`${deployment("a")}/status`, "two", status({ replicas: 3 })),
      apply(`${deployment("a")}/status`, "two", status({ replicas: 3 }), "force=true"),
      apply(`${deployment("a")}/status`, "one", status({ readyReplicas: 1 })),
    ],
    ["of status does not create", apply(`${deployment("a")}/status`, "one", status({ replicas: 1 }))],
    [
      "of spec through status changes nothing",
      apply(deployment("a"), "one", deploymentOf("a")),
      apply(`${deployment("a")}/status`, "one", { ...workload({ replicas: 5 }), status: { replicas: 1 } }),
    ],
    [
      "over an update by the same name keeps two entries",
      post(`${configMap()}?fieldManager=one`, data({ k: "v" })),
      apply(configMap("a"), "one", data({ k: "v", l: "w" })),
      mergePatch(`${configMap("a")}?fieldManager=one`, { data: { l: "x" } }),
    ],
    [
      "as kubectl takes over what kubectl applied on its side",
      post(
        `${configMap()}?fieldManager=kubectl-client-side-apply`,
        data(
          { k: "v" },
          {
            annotations: {
              "kubectl.kubernetes.io/last-applied-configuration":
                '{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a","namespace":"{ns}"}}\n',
            },
          },
        ),
      ),
      apply(configMap("a"), "kubectl", data({ k: "w" })),
      get(configMap("a")),
    ],
    [
      "as kubectl writes the annotation of its client side on",
      post(
        `${configMap()}?fieldManager=kubectl-client-side-apply`,
        data(
          { k: "v" },
          {
            annotations: {
              "kubectl.kubernetes.io/last-applied-configuration":
                '{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a"}}\n',
            },
          },
        ),
      ),
      mergePatch(`${configMap("a")}?fieldManager=editor`, { data: { k: "x" } }),
      apply(configMap("a"), "kubectl", data({ k: "w" })),
      apply(configMap("a"), "kubectl", data({ l: "w" })),
    ],
    [
      "keeps generation where nothing of spec changes",
      apply(deployment("a"), "one", deploymentOf("a")),
      apply(deployment("a"), "one", { ...deploymentOf("a"), metadata: { name: "a", labels: { x: "y" } } }),
      apply(deployment("a"), "one", deploymentOf("a", { replicas: 2 })),
    ],
  ],
  [
    {
      because: "the YAML parser has words of its own",
      at: ["step 1.body.message"],
      of: ["of YAML that does not parse", apply(configMap("a"), "one", "a: [")],
    },
    {
      because: "a Scale is patched by JSON and merge patches",
      at: ["step 2.code", "step 2.body"],
      of: [
        "through scale",
        apply(deployment("a"), "one", deploymentOf("a")),
        apply(`${deployment("a")}/scale`, "scaler", {
          apiVersion: "autoscaling/v1",
          kind: "Scale",
          metadata: { name: "a" },
          spec: { replicas: 4 },
        }),
        get(deployment("a")),
      ],
    },
    {
      because: "conditions keep no null times",
      at: ["step 2.body.status.conditions", "step 3.body.status.conditions", "step 4.body.status.conditions"],
      of: [
        "of status merges conditions by type",
        apply(deployment("a"), "one", deploymentOf("a")),
        apply(`${deployment("a")}/status`, "one", status({ conditions: [{ type: "Ready", status: "True" }] })),
        apply(`${deployment("a")}/status`, "two", status({ conditions: [{ type: "Other", status: "False" }] })),
        apply(`${deployment("a")}/status`, "one", status({})),
      ],
    },
  ],
);
