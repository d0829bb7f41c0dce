import { compareServers } from "../compare.ts";
import {
  apply,
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  mergePatch,
  podOf,
  post,
  put,
  service,
  strategicPatch,
} from "../request.ts";
import type { Step } from "../request.ts";

const secrets = "/api/v1/namespaces/{ns}/secrets";
const pods = "/api/v1/namespaces/{ns}/pods";
const autoscalers = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers";
const budgets = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets";
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
const deploys = (spec: object): Step => post(deployment(), deploymentOf("a", spec));
const template = (spec: object, labels: object = { app: "a" }): object => ({
  template: { metadata: { labels }, spec },
});
const runs = (container: object, spec: object = {}): Step =>
  deploys(template({ containers: [{ name: "main", image: "example.com/main:1", ...container }], ...spec }));
const autoscaler = (spec: object): Step =>
  post(autoscalers, {
    metadata: { name: "a" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "a" }, ...spec },
  });
const budget = (spec: object): Step =>
  post(budgets, { metadata: { name: "a" }, spec: { selector: { matchLabels: { app: "a" } }, ...spec } });
const event = (more: object): object => ({
  metadata: { name: "a" },
  involvedObject: { kind: "Pod", name: "p", namespace: "{ns}" },
  reason: "Because",
  message: "it is so",
  type: "Normal",
  ...more,
});

compareServers(
  "validation and defaults of built-in kinds",
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
    ["a Deployment with its defaults", deploys({}), get(deployment("a"))],
    [
      "a Deployment without selector, labels or containers",
      post(deployment(), { metadata: { name: "a" }, spec: {} }),
      post(deployment(), { metadata: { name: "a" }, spec: { selector: {}, template: {} } }),
      deploys({ selector: { matchLabels: { app: "b" } } }),
    ],
    [
      "a Deployment's selector never changes",
      deploys({}),
      mergePatch(deployment("a"), { spec: { selector: { matchLabels: { app: "b" } } } }),
      put(
        deployment("a"),
        deploymentOf("a", {
          selector: { matchLabels: { app: "b" } },
          ...template({ containers: [{ name: "main", image: "x" }] }, { app: "b" }),
        }),
      ),
    ],
    [
      "a Deployment's wrong numbers",
      deploys({ replicas: -1 }),
      deploys({ minReadySeconds: -1 }),
      deploys({ revisionHistoryLimit: -1 }),
      deploys({ progressDeadlineSeconds: 1, minReadySeconds: 1 }),
    ],
    [
      "a Deployment's strategies",
      deploys({ strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } }),
      deploys({ strategy: { type: "Sometimes" } }),
      deploys({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      deploys({ strategy: { rollingUpdate: { maxSurge: "x%" } } }),
      deploys({ strategy: { rollingUpdate: { maxUnavailable: "200%" } } }),
    ],
    [
      "a Deployment's generation counts its spec",
      deploys({}),
      mergePatch(deployment("a"), { metadata: { labels: { x: "y" } } }),
      mergePatch(deployment("a"), { spec: { replicas: 2 } }),
      mergePatch(deployment("a"), { spec: { replicas: 2 } }),
      mergePatch(`${deployment("a")}/status`, { status: { replicas: 2 } }),
    ],
    [
      "containers' ports",
      runs({ ports: [{ containerPort: 80 }] }),
      runs({ ports: [{}] }),
      runs({ ports: [{ containerPort: 70000 }] }),
      runs({ ports: [{ containerPort: 80, name: "a_b" }] }),
      runs({
        ports: [
          { containerPort: 80, name: "a" },
          { containerPort: 81, name: "a" },
        ],
      }),
      runs({ ports: [{ containerPort: 80, protocol: "HTTP" }] }),
    ],
    [
      "quantities",
      runs({ resources: { requests: { cpu: "100m", memory: "1Gi" }, limits: { cpu: 2, memory: "1.5Gi" } } }),
      runs({ resources: { limits: { cpu: "x" } } }),
      runs({ resources: { limits: { memory: "1 Gi" } } }),
      runs({ resources: { requests: { cpu: "-1" } } }),
      runs({ resources: { requests: { cpu: 2 }, limits: { cpu: 1 } } }),
    ],
    [
      "quantities in other words",
      runs({
        resources: { requests: { cpu: "0.5", memory: "1024Mi" }, limits: { cpu: "1000m", memory: "1073741824" } },
      }),
      runs({ resources: { limits: { cpu: "1e3", memory: "1.5G" } } }),
      runs({ resources: { limits: { cpu: 0.1 } } }),
      runs({ resources: { limits: { cpu: "1e30" } } }),
      runs({ resources: { limits: { cpu: "0.1Mi", memory: "16Ei" } } }),
      runs({ resources: { limits: { cpu: "1e20000000" } } }),
    ],
    [
      "volumes",
      runs(
        { volumeMounts: [{ name: "v", mountPath: "/v" }] },
        {
          volumes: [
            { name: "v", emptyDir: {} },
            { name: "c", configMap: { name: "c" } },
            { name: "s", secret: { secretName: "s" } },
            { name: "n" },
          ],
        },
      ),
      runs({ volumeMounts: [{ name: "v", mountPath: "/v" }] }),
      runs(
        {},
        {
          volumes: [
            { name: "v", emptyDir: {} },
            { name: "v", emptyDir: {} },
          ],
        },
      ),
      runs({}, { volumes: [{ name: "V", emptyDir: {} }] }),
      runs({}, { volumes: [{ name: "v", emptyDir: {}, configMap: { name: "c" } }] }),
      runs({ volumeMounts: [{ name: "v" }] }, { volumes: [{ name: "v", emptyDir: {} }] }),
    ],
    [
      "probes",
      runs({ readinessProbe: { httpGet: { port: 80 } } }),
      runs({ readinessProbe: {} }),
      runs({ readinessProbe: { httpGet: { port: "Not A Port" } } }),
      runs({ livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } }),
      runs({ livenessProbe: { httpGet: { port: 80 }, tcpSocket: { port: 80 } } }),
      runs({ startupProbe: { exec: { command: ["true"] }, periodSeconds: -1 } }),
    ],
    [
      "image pull policies follow the tag",
      runs({ image: "example.com/a" }),
      runs({ image: "example.com/b:latest" }),
      deploys(
        template({
          containers: [
            "c:1",
            "d@sha256:0123456789012345678901234567890123456789012345678901234567890123",
            "localhost:5000/e",
          ].map((image, index) => ({ name: `c${index}`, image })),
        }),
      ),
    ],
    ["a pod with its defaults", post(pods, podOf("a"))],
    ["a pod without a container", post(pods, { ...podOf("a"), spec: {} }), post(pods, podOf("b", { containers: [] }))],
    [
      "a pod's quality of service",
      post(
        pods,
        podOf("g", { containers: [{ name: "c", image: "x:1", resources: { limits: { cpu: 1, memory: "1Gi" } } }] }),
      ),
      post(pods, podOf("b", { containers: [{ name: "c", image: "x:1", resources: { requests: { cpu: 1 } } }] })),
    ],
    ["an autoscaler with its defaults", autoscaler({ maxReplicas: 3 })],
    [
      "an autoscaler's behavior",
      autoscaler({ maxReplicas: 3, behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } }),
      post(autoscalers, {
        metadata: { name: "b" },
        spec: {
          scaleTargetRef: { kind: "Deployment", name: "a" },
          maxReplicas: 3,
          behavior: { scaleUp: { policies: [{ type: "Pods", value: 1, periodSeconds: 10 }] } },
        },
      }),
    ],
    [
      "an autoscaler's wrong target",
      post(autoscalers, { metadata: { name: "a" }, spec: { maxReplicas: 3 } }),
      autoscaler({ maxReplicas: 3, scaleTargetRef: { kind: "Deployment" } }),
    ],
    ["a disruption budget", budget({ maxUnavailable: 1 })],
    [
      "a disruption budget by percent",
      budget({ minAvailable: "50%" }),
      mergePatch(`${budgets}/a`, { spec: { minAvailable: "60%" } }),
    ],
    [
      "a disruption budget's mistakes",
      budget({ minAvailable: 1, maxUnavailable: 1 }),
      budget({ minAvailable: -1 }),
      budget({ minAvailable: "x%" }),
      budget({ minAvailable: "200%" }),
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
      at: ["step 2", "step 3", "step 4"],
      of: [
        "selectors by expression",
        deploys({ selector: { matchExpressions: [{ key: "app", operator: "In", values: ["a", "b"] }] } }),
        deploys({ selector: { matchExpressions: [{ key: "app", operator: "Like", values: ["a"] }] } }),
        deploys({ selector: { matchExpressions: [{ key: "app", operator: "In" }] } }),
        deploys({ selector: { matchLabels: { app: "a b" } } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 4"],
      of: [
        "containers without name or image",
        runs({ name: "" }),
        runs({ name: "Main" }),
        runs({ image: "" }),
        runs({ image: " x" }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 2"],
      of: [
        "containers of the same name",
        deploys(
          template({
            containers: [
              { name: "a", image: "x" },
              { name: "a", image: "y" },
            ],
          }),
        ),
        deploys(template({ containers: [{ name: "a", image: "x" }], initContainers: [{ name: "a", image: "y" }] })),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 6"],
      of: [
        "environment variables",
        runs({
          env: [
            { name: "A", value: "1" },
            { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          ],
        }),
        runs({ env: [{ value: "1" }] }),
        runs({ env: [{ name: "a=b" }] }),
        runs({ env: [{ name: "A", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] }),
        runs({ env: [{ name: "A", valueFrom: {} }] }),
        runs({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.nothing" } } }] }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 2", "step 3"],
      of: [
        "restart policies and grace periods",
        runs({}, { restartPolicy: "Never" }),
        runs({}, { terminationGracePeriodSeconds: -1 }),
        runs({}, { dnsPolicy: "Mine" }),
        runs({ imagePullPolicy: "Sometimes" }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 3"],
      of: [
        "a pod's fields that never change",
        post(pods, podOf("a")),
        strategicPatch(`${pods}/a`, { spec: { containers: [{ name: "main", image: "example.com/main:2" }] } }),
        strategicPatch(`${pods}/a`, { spec: { containers: [{ name: "main", command: ["x"] }] } }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 4"],
      of: [
        "an autoscaler's wrong bounds",
        autoscaler({}),
        autoscaler({ maxReplicas: 0 }),
        autoscaler({ minReplicas: 4, maxReplicas: 3 }),
        autoscaler({ minReplicas: 0, maxReplicas: 3 }),
        autoscaler({ minReplicas: -1, maxReplicas: 3 }),
      ],
    },
    {
      because: "only the commonest mistakes are checked",
      at: ["step 1", "step 2", "step 3", "step 4"],
      of: [
        "an autoscaler's wrong metrics",
        autoscaler({ maxReplicas: 3, metrics: [{ type: "Resource" }] }),
        autoscaler({
          maxReplicas: 3,
          metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization" } } }],
        }),
        autoscaler({ maxReplicas: 3, metrics: [{}] }),
        autoscaler({
          maxReplicas: 3,
          metrics: [
            { type: "Pods", pods: { metric: { name: "x" }, target: { type: "AverageValue", averageValue: "10" } } },
          ],
        }),
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
