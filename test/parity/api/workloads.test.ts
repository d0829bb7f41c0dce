import { compareServers } from "../compare.ts";
import { deployment, deploymentOf, get, mergePatch, podOf, post, put, strategicPatch } from "../request.ts";
import type { Step } from "../request.ts";

const pods = "/api/v1/namespaces/{ns}/pods";
const autoscalers = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers";
const budgets = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets";
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

compareServers(
  "validation and defaults of workloads",
  [
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
  ],
  [
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
  ],
);
