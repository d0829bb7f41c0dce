import { expect } from "chai";
import { parseModelDeployment } from "../../../operator/api/parse.ts";
import { RESERVED_VARIABLES } from "../../../operator/api/serving.ts";
import { modelDeploymentObject } from "../../support/operator/model-deployment.ts";

/** What the parser has against a pod template, by field below `spec.serving.podTemplate`. */
function problemsOf(podTemplate: unknown): Map<string, string> {
  const serving = { podTemplate };
  const spec = { source: { uri: "s3://models/loan/1/" }, serving };
  const parsed = parseModelDeployment({ ...modelDeploymentObject({}), spec });
  const problems = parsed.ok ? [] : parsed.problems;
  return new Map(problems.map(({ field, message }) => [field.replace("spec.serving.podTemplate.", ""), message]));
}

const runtime = (fields: object) => ({ spec: { containers: [{ name: "runtime", ...fields }] } });
const proxy = (fields: object) => ({ spec: { containers: [{ name: "proxy", image: "proxy:1", ...fields }] } });

const refused: [title: string, podTemplate: object, field: string, message: RegExp][] = [
  [
    "a label of ours",
    { metadata: { labels: { "serving.slipway.dev/revision": "x" } } },
    "metadata.labels.serving.slipway.dev/revision",
    /set by the operator/,
  ],
  [
    "the component's label",
    { metadata: { labels: { "app.kubernetes.io/component": "x" } } },
    "metadata.labels.app.kubernetes.io/component",
    /set by the operator/,
  ],
  [
    "an annotation of ours",
    { metadata: { annotations: { "serving.slipway.dev/traffic": "x" } } },
    "metadata.annotations.serving.slipway.dev/traffic",
    /set by the operator/,
  ],
  [
    "the model's port in another container",
    proxy({ ports: [{ containerPort: 8000 }] }),
    "spec.containers[0].ports[0]",
    /http \(8000\)/,
  ],
  [
    "a port's name that is ours",
    proxy({ ports: [{ containerPort: 81, name: "http" }] }),
    "spec.containers[0].ports[0]",
    /http \(8000\)/,
  ],
  [
    "the model's port itself",
    runtime({ ports: [{ containerPort: 8000, $patch: "delete" }] }),
    "spec.containers[0].ports[0]",
    /http \(8000\)/,
  ],
  ["the runtime's image", runtime({ image: "mine:1" }), "spec.containers[0].image", /the version's image/],
  [
    "the runtime's readiness probe",
    runtime({ readinessProbe: { httpGet: { port: 1 } } }),
    "spec.containers[0].readinessProbe",
    /serving\.probes/,
  ],
  [
    "the runtime's preStop",
    runtime({ lifecycle: { preStop: { sleep: { seconds: 1 } } } }),
    "spec.containers[0].lifecycle",
    /preStop/,
  ],
  [
    "an end without the runtime's preStop",
    runtime({ lifecycle: { $patch: "replace" } }),
    "spec.containers[0].lifecycle",
    /preStop/,
  ],
  ["a pod without the runtime", runtime({ $patch: "delete" }), "spec.containers[0].$patch", /cannot be taken away/],
  [
    "containers in the place of ours",
    { spec: { containers: [{ $patch: "replace" }] } },
    "spec.containers[0].$patch",
    /cannot be taken away/,
  ],
  [
    "variables in the place of ours",
    runtime({ env: [{ $patch: "replace" }] }),
    "spec.containers[0].env[0].$patch",
    /would take away/,
  ],
  [
    "an init container by the runtime's name",
    { spec: { initContainers: [{ name: "runtime" }] } },
    "spec.initContainers[0].name",
    /choose another name/,
  ],
  [
    "the model's volume",
    { spec: { volumes: [{ name: "model", emptyDir: {} }] } },
    "spec.volumes[0].name",
    /version's source/,
  ],
  [
    "a mount over the model",
    runtime({ volumeMounts: [{ name: "x", mountPath: "/var/run/slipway/claims" }] }),
    "spec.containers[0].volumeMounts[0].mountPath",
    /is the operator's/,
  ],
  [
    "a container without a name",
    { spec: { containers: [{ image: "proxy:1" }] } },
    "spec.containers[0].name",
    /merged by name/,
  ],
  [
    "a mount without a path",
    proxy({ volumeMounts: [{ name: "x" }] }),
    "spec.containers[0].volumeMounts[0].mountPath",
    /merged by mountPath/,
  ],
  ["an end too soon", { spec: { terminationGracePeriodSeconds: 10 } }, "spec.terminationGracePeriodSeconds", /./],
  ["a field that is not there", { spec: { hostNetwork: true } }, "spec", /hostNetwork/],
  ["a misspelt field of the affinity", { spec: { affinity: { nodeAffinty: {} } } }, "spec.affinity", /nodeAffinty/],
  [
    "an operator of no meaning",
    {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: "gpu", operator: "Has" }] }],
            },
          },
        },
      },
    },
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator",
    /Exists/,
  ],
  [
    "a misspelt field of a projected volume",
    { spec: { volumes: [{ name: "x", projected: { sources: [{ secrets: {} }] } }] } },
    "spec.volumes[0].projected.sources[0]",
    /secrets/,
  ],
];

const accepted: [title: string, podTemplate: object][] = [
  ["nothing", {}],
  [
    "labels and annotations",
    { metadata: { labels: { team: "credit" }, annotations: { "prometheus.io/scrape": "true" } } },
  ],
  [
    "where pods run",
    {
      spec: {
        nodeSelector: { gpu: "a100" },
        tolerations: [{ key: "gpu", operator: "Exists" }],
        runtimeClassName: "nvidia",
        priorityClassName: "high",
      },
    },
  ],
  ["a GPU", runtime({ resources: { limits: { "nvidia.com/gpu": 1 } } })],
  ["variables of Secrets", runtime({ envFrom: [{ prefix: "DB_", secretRef: { name: "db" } }] })],
  ["postStart", runtime({ lifecycle: { postStart: { exec: { command: ["true"] } } } })],
  [
    "a sidecar with a probe",
    proxy({ ports: [{ containerPort: 9901 }], readinessProbe: { httpGet: { path: "/ready", port: 9901 } } }),
  ],
  [
    "a larger cache on a claim",
    { spec: { volumes: [{ name: "cache", persistentVolumeClaim: { claimName: "fast" } }] } },
  ],
  ["no topology spread", { spec: { topologySpreadConstraints: [{ $patch: "replace" }] } }],
  ["a variable of a sidecar by a name of ours", proxy({ env: [{ name: "PORT", value: "1" }] })],
];

describe("a pod template", () => {
  for (const [title, podTemplate, field, message] of refused)
    it(`is refused with ${title}, naming ${field}`, () => {
      const problems = problemsOf(podTemplate);
      expect([...problems.keys()]).to.include(field);
      expect(problems.get(field)).to.match(message);
    });

  for (const variable of RESERVED_VARIABLES)
    it(`is refused with the runtime's ${variable}`, () =>
      expect(problemsOf(runtime({ env: [{ name: variable, value: "x" }] }))).to.have.key(
        "spec.containers[0].env[0].name",
      ));

  it("is refused when it is larger than what a record can keep", () => {
    const args = Array.from({ length: 20 }, () => "x".repeat(500));
    expect(problemsOf(runtime({ args })).get("spec.serving.podTemplate")).to.match(/8192 bytes/);
  });

  for (const [title, podTemplate] of accepted)
    it(`is accepted with ${title}`, () => expect([...problemsOf(podTemplate)]).to.deep.equal([]));
});
