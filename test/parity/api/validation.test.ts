import { compareServers } from "../compare.ts";
import { apply, configMap, configMapOf, get, mergePatch, post, put, service } from "../request.ts";
import type { Step } from "../request.ts";

const secrets = "/api/v1/namespaces/{ns}/secrets";
const leases = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
const events = "/api/v1/namespaces/{ns}/events";
const roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles";
const bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings";
const accounts = "/api/v1/namespaces/{ns}/serviceaccounts";
const named = (name: string): Step => post(configMap(), configMapOf(name));
const labelled = (labels: object): Step => post(configMap(), configMapOf("a", {}, { labels }));
const annotated = (annotations: object): Step => post(configMap(), configMapOf("a", {}, { annotations }));
const serviceOf = (spec: object): object => ({ apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec });
const exposes = (spec: object): Step => post(service(), serviceOf(spec));
const event = (more: object): object => ({
  metadata: { name: "a" },
  involvedObject: { kind: "Pod", name: "p", namespace: "{ns}" },
  reason: "Because",
  message: "it is so",
  type: "Normal",
  ...more,
});

compareServers(
  "validation and defaults of what is not a workload",
  [
    ["names that are none", named("A"), named("a_b"), named("-a"), named("a-"), named("a..b"), named(""), named("a/b")],
    [
      "names that are too long",
      named("a".repeat(253)),
      named("a".repeat(254)),
      exposes({}),
      post(service(), { metadata: { name: "s".repeat(64) }, spec: { ports: [{ port: 1 }] } }),
    ],
    [
      "label keys that are none",
      labelled({ "a b": "c" }),
      labelled({ "/a": "c" }),
      labelled({ "a/": "c" }),
      labelled({ "A_b/c": "d" }),
      labelled({ "a/b/c": "d" }),
      labelled({ ["x".repeat(64)]: "y" }),
    ],
    [
      "label values that are none",
      labelled({ a: "b c" }),
      labelled({ a: "-b" }),
      labelled({ a: "x".repeat(64) }),
      labelled({ a: "b/c" }),
    ],
    ["labels that are no strings", labelled({ a: 1 }), labelled({ a: true }), labelled({ a: null })],
    ["annotations may hold anything but their keys may not", annotated({ a: "b c\n" }), annotated({ "a b": "c" })],
    ["annotations that are too large", annotated({ a: "x".repeat(256 * 1024) })],
    [
      "several problems are all named",
      post(configMap(), configMapOf("A", {}, { labels: { "a b": "c d" }, annotations: { "x y": "" } })),
    ],
    [
      "keys of a ConfigMap",
      post(configMap(), configMapOf("a", { "a b": "" })),
      post(configMap(), configMapOf("b", { "a/b": "" })),
      post(configMap(), configMapOf("c", { "..": "" })),
      post(configMap(), configMapOf("d", { ok: "" })),
    ],
    [
      "the same key in data and binaryData",
      post(configMap(), { ...configMapOf("a", { k: "v" }), binaryData: { k: "dg==" } }),
    ],
    ["binaryData that is no base64", post(configMap(), { ...configMapOf("a"), binaryData: { k: "%" } })],
    [
      "an immutable ConfigMap",
      post(configMap(), { ...configMapOf("a", { k: "v" }), immutable: true }),
      mergePatch(configMap("a"), { data: { k: "w" } }),
      mergePatch(configMap("a"), { immutable: false }),
      mergePatch(configMap("a"), { metadata: { labels: { x: "y" } } }),
    ],
    [
      "a Secret from text",
      post(secrets, { metadata: { name: "a" }, stringData: { k: "v" } }),
      mergePatch(`${secrets}/a`, { stringData: { l: "w" } }),
      mergePatch(`${secrets}/a`, { data: { k: null } }),
    ],
    [
      "a Secret's type never changes",
      post(secrets, { metadata: { name: "a" }, type: "example.com/x" }),
      mergePatch(`${secrets}/a`, { type: "Opaque" }),
    ],
    ["a Secret that is no base64", post(secrets, { metadata: { name: "a" }, data: { k: "no base64" } })],
    ["a Service with its defaults", exposes({ selector: { app: "a" }, ports: [{ port: 80 }] })],
    [
      "a Service of each type",
      post(service(), { metadata: { name: "np" }, spec: { type: "NodePort", ports: [{ port: 80 }] } }),
      post(service(), { metadata: { name: "lb" }, spec: { type: "LoadBalancer", ports: [{ port: 80 }] } }),
      post(service(), { metadata: { name: "en" }, spec: { type: "ExternalName", externalName: "example.com" } }),
      post(service(), { metadata: { name: "hl" }, spec: { clusterIP: "None", selector: { app: "a" } } }),
    ],
    ["a Service without ports", exposes({ selector: { app: "a" } })],
    [
      "a Service of a type that there is not",
      exposes({ type: "Outside", ports: [{ port: 80 }] }),
      exposes({ type: "ExternalName" }),
      exposes({ ports: [{ port: 80 }], sessionAffinity: "Some" }),
    ],
    [
      "a Service is replaced without its address",
      exposes({ ports: [{ port: 80 }] }),
      put(service("a"), serviceOf({ ports: [{ port: 81 }] })),
    ],
    [
      "a lease is taken and renewed",
      post(leases, {
        metadata: { name: "a" },
        spec: { holderIdentity: "one", leaseDurationSeconds: 15, renewTime: "2020-01-01T00:00:00.123456Z" },
      }),
      mergePatch(`${leases}/a`, { spec: { holderIdentity: "two", leaseTransitions: 1 } }),
      put(`${leases}/b`, { metadata: { name: "b" }, spec: {} }),
    ],
    [
      "a service account",
      post(accounts, { metadata: { name: "a" } }),
      mergePatch(`${accounts}/a`, { imagePullSecrets: [{ name: "x" }] }),
    ],
    [
      "a namespace",
      post("/api/v1/namespaces", { metadata: { name: "{ns}-more", labels: { a: "b" } } }),
      apply("/api/v1/namespaces/{ns}-more", "one", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "{ns}-more", labels: { a: "c" } },
      }),
      mergePatch("/api/v1/namespaces/{ns}-more", { metadata: { labels: { "kubernetes.io/metadata.name": "x" } } }),
    ],
  ],
  [
    {
      because: "only the commonest mistakes are checked",
      at: ["step 2"],
      of: [
        "names of Services and namespaces are labels",
        post(service(), { metadata: { name: "1a" }, spec: { ports: [{ port: 1 }] } }),
        post(service(), { metadata: { name: "a.b" }, spec: { ports: [{ port: 1 }] } }),
        post("/api/v1/namespaces", { metadata: { name: "A.b" } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a Secret of a typed kind lacks its keys",
        post(secrets, { metadata: { name: "a" }, type: "kubernetes.io/tls", data: {} }),
        post(secrets, { metadata: { name: "b" }, type: "kubernetes.io/dockerconfigjson" }),
        post(secrets, { metadata: { name: "c" }, type: "kubernetes.io/basic-auth" }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 4"],
      of: [
        "a Service's wrong ports",
        exposes({ ports: [{ port: 0 }] }),
        exposes({ ports: [{ port: 70000 }] }),
        exposes({ ports: [{ port: 80, targetPort: 0 }] }),
        exposes({ ports: [{ port: 80, targetPort: "Not A Name" }] }),
        exposes({ ports: [{ port: 80, protocol: "HTTP" }] }),
        exposes({ ports: [{ port: 80, name: "Not_A_Name" }] }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a Service's ports without names and twice",
        exposes({ ports: [{ port: 80 }, { port: 81 }] }),
        exposes({
          ports: [
            { name: "a", port: 80 },
            { name: "a", port: 81 },
          ],
        }),
        exposes({
          ports: [
            { name: "a", port: 80 },
            { name: "b", port: 80 },
          ],
        }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a Service's address never changes",
        exposes({ ports: [{ port: 80 }] }),
        mergePatch(service("a"), { spec: { clusterIP: "10.96.77.77" } }),
        mergePatch(service("a"), { spec: { clusterIP: "None" } }),
        mergePatch(service("a"), { spec: { clusterIP: null } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1", "step 2"],
      of: [
        "a Service's address that is none",
        exposes({ ports: [{ port: 80 }], clusterIP: "nonsense" }),
        exposes({ ports: [{ port: 80 }], clusterIP: "192.168.0.1" }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 5"],
      of: [
        "a Service changes its type",
        exposes({ ports: [{ port: 80 }] }),
        mergePatch(service("a"), { spec: { type: "NodePort" } }),
        mergePatch(service("a"), { spec: { type: "ClusterIP" } }),
        mergePatch(service("a"), { spec: { type: "LoadBalancer" } }),
        mergePatch(service("a"), { spec: { type: "ExternalName", externalName: "example.com" } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a Service's status is written",
        exposes({ type: "LoadBalancer", ports: [{ port: 80 }] }),
        mergePatch(`${service("a")}/status`, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } }),
        mergePatch(`${service("a")}/status`, { status: { loadBalancer: { ingress: [{ ip: "nonsense" }] } } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a lease's mistakes",
        post(leases, { metadata: { name: "a" }, spec: { leaseDurationSeconds: 0 } }),
        post(leases, { metadata: { name: "a" }, spec: { leaseTransitions: -1 } }),
        post(leases, { metadata: { name: "a" }, spec: { renewTime: "yesterday" } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1", "step 2", "step 3"],
      of: [
        "an event of the old kind",
        post(events, event({})),
        get(`${events}?fieldSelector=involvedObject.name%3Dp`),
        mergePatch(`${events}/a`, { count: 2 }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1"],
      of: [
        "an event's mistakes",
        post(events, event({ involvedObject: { kind: "Pod", name: "p", namespace: "other" } })),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1", "step 2"],
      of: [
        "an event of the new kind",
        post("/apis/events.k8s.io/v1/namespaces/{ns}/events", {
          metadata: { name: "b" },
          regarding: { kind: "Pod", name: "p", namespace: "{ns}" },
          eventTime: "2020-01-01T00:00:00.000000Z",
          reportingController: "example.com/c",
          reportingInstance: "c-1",
          action: "Doing",
          reason: "Because",
          note: "x",
          type: "Normal",
        }),
        post("/apis/events.k8s.io/v1/namespaces/{ns}/events", {
          metadata: { name: "c" },
          regarding: { kind: "Pod", name: "p", namespace: "{ns}" },
          reason: "Because",
        }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a role and its binding",
        post(roles, { metadata: { name: "a:b" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
        post(bindings, {
          metadata: { name: "a" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "a:b" },
          subjects: [{ kind: "ServiceAccount", name: "x", namespace: "{ns}" }],
        }),
        mergePatch(`${bindings}/a`, { roleRef: { name: "other" } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1", "step 2", "step 3"],
      of: [
        "a role's mistakes",
        post(roles, { metadata: { name: "a" }, rules: [{ apiGroups: [""], resources: ["pods"] }] }),
        post(bindings, { metadata: { name: "a" } }),
        post(bindings, {
          metadata: { name: "a" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
          subjects: [{ kind: "ServiceAccount", name: "x" }],
        }),
      ],
    },
  ],
);
