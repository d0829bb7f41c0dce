import { readFileSync } from "node:fs";
import type {
  KubernetesObject,
  V1Deployment,
  V1EnvVar,
  V1Service,
  V2HorizontalPodAutoscaler,
} from "@kubernetes/client-node";
import { expect } from "chai";
import { parse } from "yaml";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { Autoscaling } from "../../../operator/api/autoscaling.ts";
import { LEAST_GRACE_SECONDS } from "../../../operator/api/pod-template.ts";
import { planRollout } from "../../../operator/plan/plan-rollout.ts";
import type { RolloutRecord } from "../../../operator/plan/record.ts";
import { desiredObjects } from "../../../operator/resources/desired-objects.ts";
import { readConfig } from "../../../runtime/config.ts";
import { expectGolden } from "../../support/operator/golden.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";
import { SETTINGS } from "../../support/operator/simulated-cluster.ts";

const NOTHING = { record: undefined, revisions: new Map(), routers: { replicas: undefined, ready: [] } };
const NOW = Date.parse("2026-01-01T00:00:00Z");

/** The children of an object that was just created. */
function childrenOf(spec: ModelDeploymentSpec, name = "loan"): KubernetesObject[] {
  const md = validModelDeployment(spec, { name });
  return desiredObjects(md, planRollout(md, NOTHING, NOW, SETTINGS));
}

function child(children: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = children.findLast((object) => object.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
}

function deploymentOf(children: readonly KubernetesObject[]): V1Deployment {
  return child(children, "Deployment");
}

/** Envoy's config has tests of its own; here it would only make every change of it a change of these files. */
function withoutEnvoyConfig(object: KubernetesObject): KubernetesObject {
  const text = JSON.stringify(object, (key, value: unknown) =>
    key === "data" || key === "serving.slipway.dev/bootstrap" ? undefined : value,
  );
  return JSON.parse(text) as KubernetesObject;
}

const source = { uri: "s3://models/loan/1/" };

const loanExample = (
  parse(readFileSync("examples/loan/model-deployment.yaml", "utf8")) as { spec: ModelDeploymentSpec }
).spec;

const asAskedFor: ModelDeploymentSpec = {
  source,
  serving: {
    replicas: 3,
    resources: { requests: { cpu: 1, memory: "2Gi" }, limits: { cpu: 2, memory: "4096Mi" } },
    probes: { initialDelaySeconds: 30 },
  },
  traffic: { service: { type: "LoadBalancer" } },
};

const autoscaled: ModelDeploymentSpec = {
  source,
  serving: { autoscaling: { minReplicas: 2, maxReplicas: 10, targetCPUUtilizationPercentage: 70 } },
};

/** What an API server stores in another form than it was written in, or not at all. */
const edges: ModelDeploymentSpec = {
  source: { ...source, secretRef: { name: "s3" }, sha256: "0".repeat(64) },
  serving: {
    resources: { requests: { cpu: 0.5, memory: "1.5Gi" }, limits: {} },
    probes: { initialDelaySeconds: 0, timeoutSeconds: 3, startup: {} },
    env: [
      { name: "EMPTY", value: "" },
      { name: "ABSENT" },
      { name: "ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "TOKEN", valueFrom: { secretKeyRef: { name: "token", key: "token", optional: false } } },
    ],
  },
  traffic: { service: { annotations: { "cloud/empty": "" } } },
};

const metrics: NonNullable<Autoscaling["metrics"]> = [
  {
    type: "Pods",
    pods: { metric: { name: "ml_requests_in_flight" }, target: { type: "AverageValue", averageValue: 4 } },
  },
  {
    type: "External",
    external: {
      metric: { name: "queue_length", selector: { matchLabels: { queue: "loans", value: "1000m" } } },
      target: { type: "Value", value: "1500m" },
    },
  },
  {
    type: "ContainerResource",
    containerResource: {
      name: "cpu",
      container: "runtime",
      target: { type: "Utilization", averageUtilization: 60 },
    },
  },
  {
    type: "Object",
    object: {
      describedObject: { apiVersion: "networking.k8s.io/v1", kind: "Ingress", name: "front" },
      metric: { name: "requests_per_second" },
      target: { type: "Value", value: "10k" },
    },
  },
];

/** An HPA by all kinds of metrics. */
const measured: ModelDeploymentSpec = {
  source,
  serving: {
    autoscaling: {
      minReplicas: 2,
      maxReplicas: 10,
      targetMemoryUtilizationPercentage: 75,
      metrics,
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] },
        scaleDown: { selectPolicy: "Disabled", tolerance: "0.05" },
      },
    },
  },
};

/** Everything that people lay over the pods, and beside it a version with an image of its own. */
const customized: ModelDeploymentSpec = {
  versions: [
    { name: "v1", weight: 90, source: { ...source, secretRef: { name: "s3" } } },
    {
      name: "mine",
      weight: 10,
      image: "registry.example:5000/credit/loan-fastapi:1.4",
      serving: {
        podTemplate: {
          spec: {
            containers: [
              {
                name: "runtime",
                env: [{ name: "WORKERS", value: "4" }],
                securityContext: { readOnlyRootFilesystem: false },
              },
              { name: "proxy", $patch: "delete" },
            ],
          },
        },
      },
    },
  ],
  serving: {
    resources: { requests: { cpu: 1 } },
    podTemplate: {
      metadata: { labels: { team: "credit" }, annotations: { "prometheus.io/scrape": "true" } },
      spec: {
        serviceAccountName: "models",
        automountServiceAccountToken: true,
        imagePullSecrets: [{ name: "registry" }],
        priorityClassName: "high",
        runtimeClassName: "nvidia",
        terminationGracePeriodSeconds: 120,
        nodeSelector: { accelerator: "a100" },
        tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                podAffinityTerm: {
                  topologyKey: "kubernetes.io/hostname",
                  labelSelector: { matchLabels: { team: "credit" } },
                },
              },
            ],
          },
        },
        topologySpreadConstraints: [
          { $patch: "replace" },
          {
            topologyKey: "topology.kubernetes.io/zone",
            maxSkew: 1,
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: { team: "credit" } },
          },
        ],
        securityContext: { supplementalGroups: [1000] },
        volumes: [
          { name: "cache", emptyDir: { medium: "Memory", sizeLimit: "2048Mi" } },
          { name: "features", configMap: { name: "features", optional: false, defaultMode: 0o440 } },
          { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token", audience: "vault" } }] } },
        ],
        initContainers: [
          {
            name: "logs",
            image: "vector:1",
            restartPolicy: "Always",
            volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
          },
        ],
        containers: [
          {
            name: "runtime",
            envFrom: [{ prefix: "FEATURES_", configMapRef: { name: "features", optional: false } }],
            env: [
              { name: "AWS_REGION", value: "eu-central-1" },
              { name: "CORES", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1000m" } } },
              { name: "EMPTY", value: "" },
            ],
            resources: { limits: { "nvidia.com/gpu": 1, memory: "4096Mi" } },
            volumeMounts: [
              { name: "features", mountPath: "/etc/features", readOnly: true },
              { name: "features", mountPath: "/etc/more", subPath: "more", readOnly: false },
            ],
          },
          {
            name: "proxy",
            image: "proxy:1",
            ports: [{ containerPort: 9901 }, { containerPort: 9901, protocol: "UDP" }],
            readinessProbe: { httpGet: { path: "/ready", port: 9901 } },
            stdin: false,
          },
        ],
      },
    },
  },
};

describe("desiredObjects", () => {
  for (const [file, spec] of [
    ["minimal", { source }],
    ["loan-example", loanExample],
    ["as-asked-for", asAskedFor],
    ["autoscaled", autoscaled],
    ["edges", edges],
    ["customized", customized],
    ["measured", measured],
  ] as const)
    it(`makes the children of test/golden/operator/${file}.yaml`, () =>
      expectGolden(`test/golden/operator/${file}.yaml`, childrenOf(spec).map(withoutEnvoyConfig)));

  it("gives replicas, requests, limits and probes exactly as asked for", () => {
    const { spec } = deploymentOf(childrenOf(asAskedFor));
    const [container] = spec?.template.spec?.containers ?? [];
    expect(spec?.replicas).to.equal(3);
    expect(container?.resources).to.deep.equal({
      requests: { cpu: "1", memory: "2Gi" },
      limits: { cpu: "2", memory: "4Gi" },
    });
    for (const probe of [container?.readinessProbe, container?.livenessProbe]) {
      expect(probe?.initialDelaySeconds).to.equal(30);
      expect(probe?.httpGet).to.deep.equal({ path: "/health", port: "http" });
    }
    expect(container?.ports).to.deep.equal([
      { name: "http", containerPort: 8000, protocol: "TCP" },
      { name: "grpc", containerPort: 9000, protocol: "TCP" },
    ]);
  });

  it("exposes port 80 of a LoadBalancer, which leads to the containers' port 8000", () => {
    const children = childrenOf(asAskedFor);
    const front = children[0] as V1Service;
    const pods = deploymentOf(children).spec?.template;
    expect(front.metadata?.name).to.equal("loan");
    expect(front.spec?.type).to.equal("LoadBalancer");
    expect(front.spec?.ports?.[0]).to.deep.equal({ name: "http", port: 80, protocol: "TCP", targetPort: "http" });
    expect(pods?.spec?.containers[0]?.ports?.find(({ name }) => name === "http")?.containerPort).to.equal(8000);
    expect(pods?.metadata?.labels).to.include(front.spec?.selector);
  });

  it("leads gRPC to the containers' port 9000, unless that is the port of HTTP", () => {
    const portsWith = (port: number): V1Service["spec"] =>
      (childrenOf({ source, traffic: { service: { port } } })[0] as V1Service).spec;
    expect(portsWith(80)?.ports?.[1]).to.deep.equal({
      name: "grpc",
      port: 9000,
      protocol: "TCP",
      targetPort: "grpc",
      appProtocol: "kubernetes.io/h2c",
    });
    expect(portsWith(9000)?.ports?.map(({ name }) => name)).to.deep.equal(["http"]);
  });

  it("leaves the pods and Services of revisions that an older operator made as they are", () => {
    const made = (spec: ModelDeploymentSpec, record: RolloutRecord | undefined): KubernetesObject[] => {
      const md = validModelDeployment(spec);
      return desiredObjects(md, planRollout(md, { ...NOTHING, record }, NOW, SETTINGS));
    };
    for (const spec of [{ source }, loanExample]) {
      const { record } = planRollout(validModelDeployment(spec), NOTHING, NOW, SETTINGS);
      const revisions = Object.entries(record.revisions).map(([id, { grpc: _grpc, ...older }]) => [id, older] as const);
      const children = made(spec, { ...record, revisions: Object.fromEntries(revisions) });
      expect(JSON.stringify(children)).to.not.match(/grpc/i);
      expect(JSON.stringify(made(spec, record))).to.match(/grpc/i);
    }
  });

  it("makes an autoscaling/v2 HPA from 2 to 10 at 70 % CPU, and leaves the replicas to it", () => {
    const children = childrenOf(autoscaled);
    const hpa = child(children, "HorizontalPodAutoscaler") as V2HorizontalPodAutoscaler;
    const deployment = deploymentOf(children);
    expect(hpa.apiVersion).to.equal("autoscaling/v2");
    expect(hpa.spec).to.deep.equal({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deployment.metadata?.name },
      minReplicas: 2,
      maxReplicas: 10,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
      ],
    });
    expect(deployment.spec).to.not.have.property("replicas");
  });

  it("passes metrics and behavior of an HPA through, and holds the CPU only when nothing else is to be held", () => {
    const specOf = (autoscaling: Autoscaling) =>
      (child(childrenOf({ source, serving: { autoscaling } }), "HorizontalPodAutoscaler") as V2HorizontalPodAutoscaler)
        .spec;
    const behavior = { scaleDown: { policies: [{ type: "Pods" as const, value: 1, periodSeconds: 60 }] } };
    expect(specOf({ maxReplicas: 3, metrics, behavior })).to.deep.include({
      behavior,
      metrics: JSON.parse(JSON.stringify(metrics).replace('"averageValue":4', '"averageValue":"4"')) as unknown,
    });
    const cpu = { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } };
    expect(specOf({ maxReplicas: 3 })?.metrics).to.deep.equal([{ type: "Resource", resource: cpu }]);
    const memory = { name: "memory", target: { type: "Utilization", averageUtilization: 70 } };
    expect(specOf({ maxReplicas: 3, targetMemoryUtilizationPercentage: 70 })?.metrics).to.deep.equal([
      { type: "Resource", resource: memory },
    ]);
  });

  it("writes the front Service first, since it carries the record of the decision", () => {
    const [front] = childrenOf(loanExample);
    expect(front).to.include({ kind: "Service" });
    expect(front?.metadata?.annotations).to.have.property("serving.slipway.dev/rollout-record");
  });

  it("lets every child go with its owner, and bear the labels by which it is found", () => {
    for (const { metadata } of childrenOf(loanExample)) {
      expect(metadata?.ownerReferences).to.have.length(1);
      expect(metadata?.ownerReferences?.[0]).to.include({ kind: "ModelDeployment", controller: true });
      expect(metadata?.labels).to.include({
        "app.kubernetes.io/managed-by": "slipway",
        "serving.slipway.dev/model-deployment": "loan",
      });
    }
  });

  it("selects with a revision's Service exactly that revision's pods", () => {
    const children = childrenOf(loanExample);
    const services = children.filter(({ kind }) => kind === "Service").slice(1) as V1Service[];
    const deployments = children.filter(({ kind }) => kind === "Deployment") as V1Deployment[];
    for (const { metadata, spec } of services) {
      const selected = deployments.filter(({ spec: of }) =>
        Object.entries(spec?.selector ?? {}).every(([key, value]) => of?.template.metadata?.labels?.[key] === value),
      );
      expect(selected.map((deployment) => deployment.metadata?.name)).to.deep.equal([metadata?.name]);
    }
  });

  it("passes named keys of the source's Secret on, and nothing else of it", () => {
    const { spec } = deploymentOf(
      childrenOf({ source: { uri: "https://host/model.onnx", secretRef: { name: "web" } } }),
    );
    const fromSecret = spec?.template.spec?.containers[0]?.env?.filter(({ valueFrom }) => valueFrom?.secretKeyRef);
    expect(fromSecret?.map(({ name }) => name)).to.deep.equal(["HTTP_AUTHORIZATION", "HTTP_USERNAME", "HTTP_PASSWORD"]);
    for (const { valueFrom } of fromSecret ?? [])
      expect(valueFrom?.secretKeyRef).to.include({ name: "web", optional: true });
  });

  it("passes a registry's Docker config on under a name that a variable may have", () => {
    const { spec } = deploymentOf(
      childrenOf({ source: { uri: "oci://ghcr.io/acme/loan:1", secretRef: { name: "ghcr" } } }),
    );
    const config = spec?.template.spec?.containers[0]?.env?.find(({ name }) => name === "OCI_DOCKER_CONFIG");
    expect(config?.valueFrom?.secretKeyRef).to.include({ name: "ghcr", key: ".dockerconfigjson", optional: true });
  });

  it("mounts a claim read-only, and tells the runtime where", () => {
    const { spec } = deploymentOf(childrenOf({ source: { uri: "pvc://models/loan/1/" } }));
    const pod = spec?.template.spec;
    expect(pod?.volumes).to.deep.include({
      name: "model",
      persistentVolumeClaim: { claimName: "models", readOnly: true },
    });
    const [container] = pod?.containers ?? [];
    const mountPath = "/var/run/slipway/claims/models";
    expect(container?.volumeMounts).to.deep.include({ name: "model", mountPath, readOnly: true });
    expect(container?.env).to.deep.include({ name: "MODEL_CLAIM_ROOT", value: "/var/run/slipway/claims" });
  });

  it("names each variable once: the user's own comes before the Secret's", () => {
    const { spec } = deploymentOf(
      childrenOf({
        source: { ...source, secretRef: { name: "s3" } },
        serving: { env: [{ name: "AWS_REGION", value: "eu-central-1" }] },
      }),
    );
    const region = spec?.template.spec?.containers[0]?.env?.filter(({ name }) => name === "AWS_REGION");
    expect(region).to.deep.equal([{ name: "AWS_REGION", value: "eu-central-1" }]);
  });

  const logged: ModelDeploymentSpec = {
    source,
    serving: {
      batching: { maxSize: 32, maxDelay: "2s", maxQueue: 100 },
      predictionLog: { sink: "https://events/?k=1", sample: 0.25, redact: ["a,b", "c"], secretRef: { name: "events" } },
    },
  };
  const ofServing = /^(BATCH|MAX_QUEUE|LOG_PREDICTIONS)/;
  const variablesOf = (spec: ModelDeploymentSpec): V1EnvVar[] => {
    const [pods] = childrenOf(spec).filter(({ kind }) => kind === "Deployment") as V1Deployment[];
    return pods?.spec?.template.spec?.containers[0]?.env ?? [];
  };

  it("tells the runtime of batches and of the prediction log, with the sticky header that names the user", () => {
    const env = variablesOf({ ...logged, traffic: { sticky: { header: "X-User-Id" } } });
    expect(env.filter(({ name }) => ofServing.test(name))).to.deep.equal([
      { name: "BATCH_MAX_SIZE", value: "32" },
      { name: "BATCH_MAX_DELAY_MS", value: "2000" },
      { name: "MAX_QUEUE", value: "100" },
      { name: "LOG_PREDICTIONS_SINK", value: "https://events/?k=1" },
      { name: "LOG_PREDICTIONS_SAMPLE", value: "0.25" },
      { name: "LOG_PREDICTIONS_REDACT", value: '["a,b","c"]' },
      { name: "LOG_PREDICTIONS_KEY_HEADER", value: "X-User-Id" },
      {
        name: "LOG_PREDICTIONS_AUTHORIZATION",
        valueFrom: { secretKeyRef: { name: "events", key: "LOG_PREDICTIONS_AUTHORIZATION", optional: true } },
      },
    ]);
  });

  it("says nothing to the runtime of what the user does not say, so that these fields changed no pods when they came", () => {
    const env = variablesOf({ source, traffic: { sticky: { header: "X-User-Id" } } });
    expect(env.filter(({ name }) => ofServing.test(name))).to.deep.equal([]);
  });

  it("lets the user's own variable go before a field", () => {
    const env = [{ name: "BATCH_MAX_SIZE", value: "7" }];
    const variables = variablesOf({ ...logged, serving: { ...logged.serving, env } });
    expect(variables.filter(({ name }) => name === "BATCH_MAX_SIZE")).to.deep.equal(env);
  });

  it("configures the runtime with what the runtime takes", () => {
    const env = variablesOf({ ...logged, traffic: { sticky: { header: "X-User-Id" } } });
    const config = readConfig(Object.fromEntries(env.map(({ name, value = "" }) => [name, value])));
    expect(config).to.deep.include({
      batchMaxSize: 32,
      batchMaxDelayMs: 2000,
      maxQueue: 100,
      logPredictionsSample: 0.25,
      logPredictionsRedact: ["a,b", "c"],
      logPredictionsKeyHeader: "X-User-Id",
    });
  });

  it("lets the fields of one probe go before those of all", () => {
    const probes = { periodSeconds: 7, readiness: { periodSeconds: 1 }, startup: { failureThreshold: 3 } };
    const { spec } = deploymentOf(childrenOf({ source, serving: { probes } }));
    const [container] = spec?.template.spec?.containers ?? [];
    expect(container?.readinessProbe?.periodSeconds).to.equal(1);
    expect(container?.livenessProbe?.periodSeconds).to.equal(7);
    expect(container?.startupProbe).to.include({ periodSeconds: 2, failureThreshold: 3 });
  });

  it("runs a version's own image without a source, but with everything else that the contract promises", () => {
    const { spec } = deploymentOf(childrenOf({ versions: [{ name: "v1", image: "mine/loan:1.4" }] }));
    const [container] = spec?.template.spec?.containers ?? [];
    expect(container?.image).to.equal("mine/loan:1.4");
    const variables = new Map(container?.env?.map(({ name, value }) => [name, value]));
    expect([...variables.keys()]).to.not.include.members(["MODEL_URI", "MODEL_SHA256"]);
    expect(Object.fromEntries(variables)).to.include({ PORT: "8000", MODEL_NAME: "loan", MODEL_VARIANT: "v1" });
    expect(container?.ports?.[0]).to.include({ name: "http", containerPort: 8000 });
    expect(container?.readinessProbe?.httpGet?.path).to.equal("/health");
  });

  it("never lets a pod's time to end be shorter than what it needs", () => {
    const podTemplate = { spec: { terminationGracePeriodSeconds: LEAST_GRACE_SECONDS } };
    const [asBuilt, asLittleAsAllowed] = [{}, { podTemplate }].map(
      (serving) => deploymentOf(childrenOf({ source, serving })).spec?.template.spec?.terminationGracePeriodSeconds,
    );
    expect(asLittleAsAllowed).to.equal(asBuilt);
  });

  it("gives a container beside the model's what the restricted Pod Security Standard asks for", () => {
    const podTemplate = { spec: { containers: [{ name: "proxy", image: "proxy:1" }] } };
    const { spec } = deploymentOf(childrenOf({ source, serving: { podTemplate } }));
    expect(spec?.template.spec?.containers[1]?.securityContext).to.deep.equal({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("keeps the operator's own annotations from being overwritten by the user's", () => {
    const annotations = { "serving.slipway.dev/rollout-record": "mine", "cloud/scheme": "internal" };
    const [front] = childrenOf({ source, traffic: { service: { annotations } } });
    expect(front?.metadata?.annotations?.["cloud/scheme"]).to.equal("internal");
    expect(front?.metadata?.annotations?.["serving.slipway.dev/rollout-record"]).to.match(/^\{/);
  });

  it("names no user where the cluster assigns one: makes the Deployments of test/golden/operator/openshift.yaml", () => {
    const md = validModelDeployment(loanExample);
    const children = desiredObjects(md, planRollout(md, NOTHING, NOW, SETTINGS), "Assigned");
    return expectGolden(
      "test/golden/operator/openshift.yaml",
      children.filter(({ kind }) => kind === "Deployment"),
    );
  });

  it("roots no pod, gives it no token and a file system that it cannot change", () => {
    const deployments = childrenOf(loanExample).filter(({ kind }) => kind === "Deployment") as V1Deployment[];
    for (const { spec } of deployments) {
      expect(spec?.template.spec).to.deep.include({ automountServiceAccountToken: false });
      expect(spec?.template.spec?.securityContext).to.include({ runAsNonRoot: true });
      for (const { securityContext } of spec?.template.spec?.containers ?? [])
        expect(securityContext).to.deep.include({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        });
    }
  });
});
